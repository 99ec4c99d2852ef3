/**
 * docs/driver.md: its code is compiled as a user's would be, against the package, and run.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const page = readFileSync(join(root, 'docs/driver.md'), 'utf8');

/** Blocks of a language, in order. */
function blocks(language: string): string[] {
  return [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, named]) => named === language)
    .map(([, , text]) => text!);
}

/** What the compiler says, in the strictest way that the package itself is compiled. */
function compile(files: readonly string[]): string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const { outDir, rootDir, incremental, tsBuildInfoFile, declaration, sourceMap, ...rest } = options;
  const program = ts.createProgram([...files], { ...rest, verbatimModuleSyntax: true });
  const { diagnostics } = program.emit();
  return [...ts.getPreEmitDiagnostics(program), ...diagnostics].map(({ messageText, file, start }) => {
    const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    return `${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

t.test('the driver of the page compiles against the package, and does what the page says', async (t) => {
  const sources = blocks('ts');
  const [expected] = blocks('text');
  t.equal(sources.length, 2);
  const lines = sources[0]!.trimEnd().split('\n');
  t.ok(lines.length < 80, `${lines.length} lines`);
  // Inside of the package its own name leads to it.
  const dir = mkdtempSync(join(root, 'dist/page-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const files = sources.map((source) => {
    const file = join(dir, /^\/\/ (\S+)/.exec(source)![1]!);
    writeFileSync(file, source);
    return file;
  });
  t.strictSame(compile(files), []);
  const { stdout, stderr } = spawnSync(process.execPath, [join(dir, 'use.js')], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  t.equal(stderr, '');
  t.equal(stdout, expected);
});
