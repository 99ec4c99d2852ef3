/**
 * Reads and writes of device registers, cut into the pieces that a bus would carry: a double word where the offset is a
 * multiple of four and so much is left, else a word at an even offset, else a byte. A driver that emulates registers
 * sees one piece at a time (the read and write functions of samples/vfio-mdev, and vfio-pci's of I/O and configuration
 * space).
 * @module
 */

/** Bytes of the next piece. */
function pieceAt(offset: number, left: number): 1 | 2 | 4 {
  if (left >= 4 && offset % 4 === 0) return 4;
  return left >= 2 && offset % 2 === 0 ? 2 : 1;
}

/**
 * Reads piece by piece.
 * @param read returns a piece's value; what it throws ends the whole access
 */
export function readPieces(
  length: number,
  offset: number,
  read: (offset: number, size: 1 | 2 | 4) => number,
): Uint8Array {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) {
    const size = pieceAt(offset + done, length - done);
    bytes.writeUIntLE(read(offset + done, size), done, size);
    done += size;
  }
  return bytes;
}

/**
 * Writes piece by piece.
 * @param write takes a piece's value; what it throws ends the whole access, pieces before it are written
 * @returns how many bytes were written: all
 */
export function writePieces(
  bytes: Uint8Array,
  offset: number,
  write: (offset: number, value: number, size: 1 | 2 | 4) => void,
): number {
  const from = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let done = 0; done < from.length; ) {
    const size = pieceAt(offset + done, from.length - done);
    write(offset + done, from.readUIntLE(done, size), size);
    done += size;
  }
  return from.length;
}
