/** The file that the helper thread begins with. */
export const threadEntry: URL = new URL('./sqlite-thread.js', import.meta.url);
