/** Of all sessions in a store. */
export async function idsOf(sessions: { ids(): AsyncIterable<string> }): Promise<string[]> {
  const ids: string[] = [];
  for await (const id of sessions.ids()) ids.push(id);
  return ids;
}
