const NO_RIGHT = '; give this user the right to read and write there, or name another folder';
const REMEDIES: Readonly<Record<string, string>> = {
  EROFS: '; name a folder that can be written to, or mount its disk for writing',
  EACCES: NO_RIGHT,
  EPERM: NO_RIGHT,
  ENOTDIR: '; what lies above it is a file: name another folder',
};

/** Of the disk, of this user's share of it, or of what a file may grow to. */
const ROOMLESS: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'EFBIG'];

export const isRoomless = (error: unknown): boolean =>
  error instanceof Error && ROOMLESS.includes((error as NodeJS.ErrnoException).code);

/** What the system says of a file or folder, and what to do. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.message}${REMEDIES[(error as NodeJS.ErrnoException).code ?? ''] ?? ''}`;
}
