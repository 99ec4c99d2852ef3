import t from 'tap';
import { PciConfig } from '../../src/pci/config.js';

/** A memory BAR of 1 MB, MSI-X at 0x40, PM at 0x50 that ends the list. */
function config(): PciConfig {
  const bytes = Buffer.alloc(256);
  bytes.writeUInt16LE(0x10, 0x06);
  bytes.writeUInt32LE(0xfe000000, 0x10);
  bytes[0x34] = 0x40;
  bytes.set([0x11, 0x50, 0x02, 0x00], 0x40);
  bytes.set([0x01, 0x00], 0x50);
  return new PciConfig(256, bytes, [1 << 20]);
}

t.test('capabilities are found through their list', async (t) => {
  t.strictSame(
    [...config().capabilities()],
    [
      { id: 0x11, offset: 0x40 },
      { id: 0x01, offset: 0x50 },
    ],
  );
  t.equal(config().findCapability(0x01), 0x50);
  t.equal(config().findCapability(0x10), 0);
});

t.test('a list that runs in a circle ends', async (t) => {
  const circle = config();
  circle.setU8(0x51, 0x40);
  t.equal([...circle.capabilities()].length, 48);
});

t.test('without the bit in the status register there is no list', async (t) => {
  const none = config();
  none.setU16(0x06, 0);
  t.strictSame([...none.capabilities()], []);
});

t.test('ids and the class cannot be written, the command register can', async (t) => {
  const space = config();
  space.write(Buffer.alloc(16, 0xff), 0);
  t.equal(space.u32(0x00), 0);
  t.equal(space.u16(0x04), 0x0547);
  t.equal(space.u32(0x08), 0);
  t.equal(space.u8(0x0c), 0xff);
});

t.test('all ones in a base address read back as its size', async (t) => {
  const space = config();
  space.write(Buffer.alloc(4, 0xff), 0x10);
  t.equal(space.u32(0x10), 0xfff00000);
  space.write(Buffer.alloc(4, 0xff), 0x14);
  t.equal(space.u32(0x14), 0, 'a base address that is not there stays 0');
});

t.test('a 64-bit base address takes two registers', async (t) => {
  const bytes = Buffer.alloc(256);
  bytes[0x14] = 0x0c;
  const space = new PciConfig(256, bytes, [0, 2 ** 33]);
  space.write(Buffer.alloc(12, 0xff), 0x10);
  t.equal(space.u32(0x10), 0);
  t.equal(space.u32(0x14), 0x0000000c);
  t.equal(space.u32(0x18), 0xfffffffe);
});

t.test('of a capability only its controls can be written', async (t) => {
  const space = config();
  space.write(Buffer.alloc(32, 0xff), 0x40);
  t.equal(space.u16(0x40), 0x5011);
  t.equal(space.u16(0x42), 0xc002);
  t.equal(space.u16(0x50), 0x0001);
  t.equal(space.u16(0x54), 0x0103);
});

t.test('bytes beyond the end are dropped', async (t) => {
  const space = config();
  space.write(Buffer.alloc(8, 0xff), 252);
  t.equal(space.read(250, 100).length, 6);
});
