/**
 * Patterns of names, as a shell has them: `*` is any text, `?` any character, `[a-f]` one of these, `[!a-f]` none of
 * these. Slashes mean nothing here.
 * @module
 */

const SPECIAL = /[*?[]/;

/** Whether a text stands for more than itself. */
export function isGlob(text: string): boolean {
  return SPECIAL.test(text);
}

/** A function that tells whether a name is what the pattern means. A bracket that is not closed stands for itself. */
export function globMatcher(pattern: string): (name: string) => boolean {
  if (!isGlob(pattern)) return (name) => name === pattern;
  const source = pattern.replace(/\*+|\?|\[!?\]?[^\]]*\]|[\\^$.|+(){}[\]]/g, (part) => {
    if (part[0] === '*') return '.*';
    if (part === '?') return '.';
    if (part.length > 1) return `[${part.slice(1, -1).replace(/^!/, '^').replaceAll('\\', '\\\\')}]`;
    return `\\${part}`;
  });
  const expression = new RegExp(`^${source}$`, 's');
  return (name) => expression.test(name);
}
