/**
 * What a copy of a file of sysfs, in an archive or a directory, tells of the file.
 *
 * GNU tar fills a file up with zeros to the size that sysfs claims, also one of which it could read nothing, and what
 * was extracted from its archive is like that. Others leave such a file empty, `cp -a` too.
 * @module
 */

const PAGE_SIZE = 4096;

/**
 * @returns what was read from the file; undefined when that was nothing, or nothing is known of it
 */
export function contentOfCopy(bytes: Buffer): Buffer | undefined {
  if (bytes.every((byte) => byte === 0)) return undefined;
  if (bytes.length !== PAGE_SIZE) return bytes;
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  // A configuration space may well end in zeros, and has others before.
  return bytes.subarray(0, end).includes(0) ? bytes : bytes.subarray(0, end);
}
