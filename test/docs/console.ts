/**
 * Runs the console blocks of a page as one session of a shell, and compares what each command prints with the page.
 *
 * A block is fenced as `console`. A line that begins with `# ` or `$ ` is a command; what follows is what it prints, on
 * standard output and standard error as a terminal mixes them. A page marks what differs per run or machine:
 *
 * * `…` in a line is any text, also none
 * * a line `[...]` is any number of lines, also none
 *
 * The session has a folder of its own, in which `/tmp/sys` of the page is `sys`, and `mdevfs` and `./mount.sh` are those of this
 * checkout. Blocks of a page follow each other: what one left is there for the next. A comment before a block,
 * `<!-- console: not run, REASON -->`, leaves it out.
 *
 * It has mounts and processes of its own too (`unshare`), so nothing of it outlives its shell, whatever a page does.
 *
 * @module
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { main, mountSh, plain } from '../mount/command.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
/** Where pages have their mount. */
const PAGE_DIR = '/tmp/sys';
/** Between what two commands print: no program prints it. */
const NEXT = '\x1e';
/** Longer than any page takes on a busy machine. */
const PATIENCE_MS = 300_000;

export interface Command {
  /** Line of the page, from 1. */
  line: number;
  text: string;
  /** What it prints, with marks. */
  prints: string;
}

/** A page whose blocks do not follow the rules. */
export class PageError extends Error {
  override readonly name = 'PageError';
}

const BLOCK = /^(?:<!-- console: ([^\n]*) -->\n\n?)?```console\n(.*?)^```$/gms;
const LEFT_OUT = /^not run, ./;

/**
 * The commands of a page, in order.
 * @throws PageError for a block that does not begin with a command, or is left out without a reason
 */
export function commandsOf(page: string): Command[] {
  const blocks = [...page.matchAll(BLOCK)];
  const fences = page.match(/^\s*```+\s*console/gm) ?? [];
  if (fences.length > blocks.length)
    throw new PageError('a block is indented, not closed, or not just "```console"');
  return blocks.flatMap(({ 0: block, 1: comment, 2: lines, index }) => {
    const before = block.slice(0, block.indexOf('```console\n'));
    const line = page.slice(0, index).split('\n').length + before.split('\n').length;
    if (comment === undefined) return blockCommands(lines!, line);
    if (LEFT_OUT.test(comment)) return [];
    throw new PageError(`${line}: expected "not run, REASON", got "${comment}"`);
  });
}

/** @param first line of the page that the block begins in */
function blockCommands(lines: string, first: number): Command[] {
  const commands: Command[] = [];
  for (const [index, text] of lines.split('\n').slice(0, -1).entries()) {
    const last = commands.at(-1);
    if (/^[#$] /.test(text)) commands.push({ line: first + index, text: text.slice(2), prints: '' });
    else if (last) last.prints += `${text}\n`;
    else throw new PageError(`${first}: expected a command, got "${text}"`);
  }
  return commands;
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Whether a text is what a page says, but for what is marked. */
export function fits(prints: string, text: string): boolean {
  const lines = prints.split('\n').slice(0, -1);
  const patterns = lines.map((line) =>
    line === '[...]' ? '(?:[^\\n]*\\n)*' : `${line.split('…').map(escaped).join('[^\\n]*')}\\n`,
  );
  return new RegExp(`^${patterns.join('')}$`).test(text);
}

interface Session {
  /** Its folder, where its shell starts. */
  dir: string;
  sys: string;
  /** Where its programs are. */
  bin: string;
}

function session(t: Test): Session {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-page-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const sys = join(dir, 'sys');
  const bin = join(dir, 'bin');
  for (const each of [sys, bin]) mkdirSync(each);
  const program = (path: string, ...words: string[]) => {
    writeFileSync(path, `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(' ')} "$@"\n`);
    chmodSync(path, 0o755);
  };
  program(join(bin, 'mdevfs'), process.execPath, main);
  program(join(dir, 'mount.sh'), mountSh);
  return { dir, sys, bin };
}

/** A shell that is the first process of a namespace: the others end with it. */
const SHELL = [
  ...['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--mount-proc', '--kill-child'],
  ...['bash', '--norc', '-c'],
];

/** What each command of a script prints. A script that does not end is killed. */
async function run(t: Test, script: string, { dir, bin }: Session): Promise<string[]> {
  const shell = spawn('env', [...plain, ...SHELL, script], {
    cwd: dir,
    env: { ...process.env, LC_ALL: 'C.UTF-8', PATH: `${bin}:${process.env.PATH}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(shell, 'close');
  t.teardown(async () => {
    shell.kill('SIGKILL');
    await closed;
  });
  const timer = setTimeout(() => shell.kill('SIGKILL'), PATIENCE_MS);
  const pieces: Buffer[] = [];
  shell.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  await closed;
  clearTimeout(timer);
  return Buffer.concat(pieces).toString('utf8').split(NEXT);
}

export interface PageOptions {
  /** Fixture that is mounted before; false where the page mounts by itself. */
  fixture?: string | false;
}

/**
 * Runs a page.
 * @param file of this checkout, such as `docs/faults.md`
 */
export const runPage = (t: Test, file: string, options: PageOptions = {}): Promise<string> =>
  runText(t, file, readFileSync(join(root, file), 'utf8'), options);

/**
 * The same for a text.
 * @param file what it is called in messages
 * @returns the folder of its session
 */
export async function runText(
  t: Test,
  file: string,
  page: string,
  { fixture = 'default' }: PageOptions = {},
): Promise<string> {
  const own = session(t);
  const here = (text: string) =>
    text.replaceAll(PAGE_DIR, own.sys).replaceAll(encodeURIComponent(PAGE_DIR), encodeURIComponent(own.sys));
  const commands = commandsOf(page);
  t.ok(commands.length > 0, `${file} has commands`);
  const lines = [
    'exec 2>&1',
    // What daemons note about themselves goes with them.
    'mkdir -p /run/mdevfs && mount -t tmpfs none /run/mdevfs',
    ...(fixture === false ? [] : [`mdevfs mount -f ${fixture} ${own.sys}`]),
    `printf '\\x1e'`,
    ...commands.flatMap(({ text }) => [here(text), `printf '\\x1e'`]),
    '',
  ];
  const [before = '', ...printed] = await run(t, lines.join('\n'), own);
  t.ok(fits(fixture === false ? '' : `${own.sys}: mounted …\n`, before), `it begins: ${before}`);
  for (const [index, { line, text, prints }] of commands.entries()) {
    const expected = here(prints);
    // A script says which of its lines failed; whoever types does not hear that.
    const got = (printed[index] ?? '').replace(/^bash: line \d+: /gm, 'bash: ');
    t.equal(fits(expected, got) ? expected : got, expected, `${file}:${line}: ${text}`);
  }
  return own.dir;
}
