/**
 * UUID text as lib/uuid.c reads it: 36 characters, hyphens at 8, 13, 18 and 23, hexadecimal digits of
 * either case elsewhere. Unlike RFC parsers it accepts every version and variant and the nil UUID.
 * @module
 */

import { Errno, KernelError } from './errno.js';

export const UUID_STRING_LEN = 36;

const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether the first 36 characters of `text` are a UUID; what follows them is not looked at. */
export function uuidIsValid(text: string): boolean {
  return shape.test(text.slice(0, UUID_STRING_LEN));
}

/**
 * The UUID at the start of `text`, in lower case as `%pUl` prints it.
 * @throws EINVAL when the first 36 characters are no UUID
 */
export function guidParse(text: string): string {
  if (!uuidIsValid(text)) throw new KernelError(Errno.EINVAL);
  return text.slice(0, UUID_STRING_LEN).toLowerCase();
}
