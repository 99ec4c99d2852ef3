/**
 * Configuration space as a fixture writes it: bytes in hexadecimal from offset 0, or pieces at offsets.
 * @module
 */

/** The bytes, up to the last one given. */
export function configBytes(config: string | Record<string, string>): Uint8Array {
  if (typeof config === 'string') return Buffer.from(config, 'hex');
  const pieces = Object.entries(config).map(
    ([offset, hex]) => [Number.parseInt(offset, 16), Buffer.from(hex, 'hex')] as const,
  );
  const bytes = new Uint8Array(Math.max(0, ...pieces.map(([offset, piece]) => offset + piece.length)));
  for (const [offset, piece] of pieces) bytes.set(piece, offset);
  return bytes;
}
