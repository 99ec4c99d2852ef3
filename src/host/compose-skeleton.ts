/**
 * A skeleton: directories, empty files and links in memory, on which directories and files from elsewhere are
 * mounted, so that together they look like one tree. It is put up by a shell script, for only a process inside of a
 * mount namespace can change what is mounted there; one mount(8) does all the mounts.
 * @module
 */

interface Bind {
  source: string;
  target: string;
}

export class Skeleton {
  readonly #dirs: string[] = [];
  readonly #files: string[] = [];
  readonly #links: { text: string; path: string }[] = [];
  readonly #binds: Bind[] = [];

  dir(path: string): void {
    this.#dirs.push(path);
  }

  link(path: string, text: string): void {
    this.#links.push({ path, text });
  }

  bindDir(source: string, path: string): void {
    this.#dirs.push(path);
    this.bind(source, path);
  }

  bindFile(source: string, path: string): void {
    this.#files.push(path);
    this.bind(source, path);
  }

  /** Mounts on what is there already. */
  bind(source: string, target: string): void {
    this.#binds.push({ source, target });
  }

  get targets(): string[] {
    return this.#binds.map(({ target }) => target);
  }

  /**
   * The commands for a POSIX shell. What fails says so and ends the shell.
   * @param table a file for mount(8) to read, which is removed again
   */
  script(table: string): string {
    const lines: string[] = [];
    if (this.#dirs.length > 0) lines.push(`mkdir -p ${this.#dirs.map(quoted).join(' ')}`);
    for (const path of this.#files) lines.push(`: > ${quoted(path)}`);
    for (const { path, text } of this.#links) lines.push(`ln -s ${quoted(text)} ${quoted(path)}`);
    if (this.#binds.length > 0) {
      lines.push(`cat > ${quoted(table)} <<'END'`);
      for (const { source, target } of this.#binds)
        lines.push(`${fstab(source)} ${fstab(target)} none rbind 0 0`);
      lines.push('END', `mount -n -a -T ${quoted(table)}`, `rm ${quoted(table)}`);
    }
    return `${lines.map(orExit).join('\n')}\n`;
  }
}

/** A command, not part of a table, ends the shell when it fails. */
const orExit = (line: string): string => (/^(mkdir|:|ln|mount) /.test(line) ? `${line} || exit` : line);

/** One word of a shell. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** One field of fstab(5). */
const fstab = (text: string): string =>
  text.replace(/[\s\\#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
