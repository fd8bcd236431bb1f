import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const main = fileURLToPath(new URL('../../dist/demo/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-demo-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the demo kills a server, loses nothing, and ends', { timeout: 60_000 }, async () => {
  const env = { ...process.env, TMPDIR: folder };
  const { code, stdout, stderr } = await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [main, '--seconds', '4'], { env, timeout: 50_000 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout: out, stderr: err }),
    );
  });
  expect(stderr).toMatch(/^(holdfast: going on in plain JavaScript.*\n)*$/);
  expect(stdout).toContain('with SIGKILL in the middle of its work');
  expect(stdout).toMatch(/ok {4} {2}[\d,]+ changes were acknowledged, 0 of them lost/);
  expect(stdout).toContain('24 of 24 sessions are the same in the primary and in the backup');
  expect(stdout).not.toContain('FAILED');
  expect(code).toBe(0);
  expect(readdirSync(folder)).toEqual([]);
});
