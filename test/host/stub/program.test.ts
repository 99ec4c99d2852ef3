import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { assemblyOf, codeOf, stubProgram } from '../../../src/host/stub/program.js';

/** The assembler of an architecture, and the program that takes the code out of what it writes. */
const tools: Readonly<Record<string, readonly [string, string]>> = {
  x64: ['as', 'objcopy'],
  arm64: ['aarch64-linux-gnu-as', 'aarch64-linux-gnu-objcopy'],
};

for (const [arch, [as, objcopy]] of Object.entries(tools)) {
  const absent = spawnSync(as, ['--version']).error !== undefined;
  t.test(
    `the code for ${arch} is what its assembly says`,
    { skip: absent && `there is no ${as}` },
    async (t) => {
      const dir = mkdtempSync(join(tmpdir(), 'mdevfs-'));
      t.teardown(() => rmSync(dir, { recursive: true }));
      const [source, object, code] = ['s', 'o', 'bin'].map((end) => join(dir, `stub.${end}`));
      writeFileSync(source!, `${assemblyOf(arch)}\n`);
      execFileSync(as, ['-o', object!, source!]);
      execFileSync(objcopy, ['-O', 'binary', '-j', '.text', object!, code!]);
      t.equal(readFileSync(code!).toString('hex'), codeOf(arch).toString('hex'));
    },
  );
}

t.test('there is a program where there is a listing', async (t) => {
  t.equal(stubProgram('x64')!.toString('latin1', 1, 4), 'ELF');
  t.equal(stubProgram('mips'), undefined);
});
