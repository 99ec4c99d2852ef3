import t from 'tap';
import type { Dma } from '../../src/iommu/backend.js';
import { VFIO_IOMMU_UNMAP_DMA } from '../../src/uapi/vfio-iommu.js';
import { dmaUnmap, errnoOf, IOMMU_READ, IOMMU_WRITE, PAGE, Type1Container } from './type1.js';

const READ_WRITE = IOMMU_READ | IOMMU_WRITE;

/** A container with `pages` pages of memory mapped at 0. */
function mapped(pages: number, flags = 3, prot = 3): { c: Type1Container; vaddr: bigint } {
  const c = new Type1Container();
  const vaddr = c.process.memory.map(pages * 4096, undefined, { prot });
  c.map({ iova: 0n, size: BigInt(pages) * PAGE, vaddr, flags });
  return { c, vaddr };
}

t.test('a page counts as locked once, until it was unpinned as often as it was pinned', async (t) => {
  const { c } = mapped(4);
  const dma = c.device();
  t.equal(c.process.memory.locked, 0, 'a mapping locks nothing');
  t.equal(dma.pinPages(0n, 3, READ_WRITE).length, 3);
  dma.pinPages(PAGE, 3, IOMMU_READ);
  t.equal(c.process.memory.locked, 4);
  dma.unpinPages(0n, 4);
  t.equal(c.process.memory.locked, 2);
  dma.unpinPages(0n, 4);
  t.equal(c.process.memory.locked, 0);
  dma.unpinPages(0n, 4);
  t.equal(c.process.memory.locked, 0, 'once too often does nothing');
});

t.test('a pinned page is the memory itself', async (t) => {
  const { c, vaddr } = mapped(2);
  const [page] = c.device().pinPages(PAGE, 1, READ_WRITE);
  c.process.memory.write(vaddr + PAGE + 5n, Buffer.from('in'));
  t.equal(page!.read(5, 2).toString(), 'in');
  page!.write(4094, Buffer.from('out'));
  t.equal(c.process.memory.read(vaddr + 2n * PAGE - 2n, 2).toString(), 'ou', 'cut at its end');
  c.process.memory.unmap(vaddr);
  t.equal(page!.read(5, 2).toString(), 'in', 'also when the process has unmapped it');
});

t.test('what is wrong with pinning', async (t) => {
  const { c, vaddr } = mapped(2, IOMMU_READ);
  const idle = c.iommu.registerDevice({ name: 'never unpins', dmaUnmap: undefined });
  t.equal(
    errnoOf(() => idle.pinPages(0n, 1, IOMMU_READ)),
    'EINVAL',
    'no device that can unpin',
  );
  const dma = c.device();
  t.equal(
    errnoOf(() => dma.pinPages(2n * PAGE, 1, IOMMU_READ)),
    'EINVAL',
    'not mapped',
  );
  t.equal(
    errnoOf(() => dma.pinPages(0n, 1, IOMMU_WRITE)),
    'EPERM',
  );
  t.equal(
    errnoOf(() => dma.pinPages(PAGE, 2, IOMMU_READ)),
    'EINVAL',
    'the second is not mapped',
  );
  t.equal(c.process.memory.locked, 0, 'all or none');
  c.map({ iova: 2n * PAGE, vaddr: vaddr + 8n * PAGE });
  t.equal(
    errnoOf(() => dma.pinPages(0n, 3, IOMMU_READ)),
    'EFAULT',
    'no memory behind it',
  );
  t.equal(c.process.memory.locked, 0);
  c.process.exit();
  t.equal(
    errnoOf(() => dma.pinPages(0n, 1, IOMMU_READ)),
    'EINVAL',
    'closed with the process',
  );
});

t.test('a page that the process may not write cannot be pinned where the device may', async (t) => {
  const { c } = mapped(1, 3, 1);
  t.equal(
    errnoOf(() => c.device().pinPages(0n, 1, IOMMU_READ)),
    'EFAULT',
  );
  const readOnly = mapped(1, IOMMU_READ, 1);
  t.equal(readOnly.c.device().pinPages(0n, 1, IOMMU_READ).length, 1);
});

t.test('version 1 pins nothing', async (t) => {
  const c = new Type1Container(1);
  t.equal(
    errnoOf(() => c.device().pinPages(0n, 1, IOMMU_READ)),
    'EACCES',
  );
});

t.test('pins of a user stop at the limit of locked memory, mappings do not', async (t) => {
  const c = new Type1Container(3, {}, 1000);
  const pages = c.process.memory.lockedLimit! + 1;
  const vaddr = c.process.memory.map(pages * 4096);
  c.map({ iova: 0n, size: BigInt(pages) * PAGE, vaddr });
  const dma = c.device();
  t.equal(dma.pinPages(0n, pages - 1, IOMMU_READ).length, pages - 1);
  t.equal(
    errnoOf(() => dma.pinPages(0n, pages, IOMMU_READ)),
    'ENOMEM',
  );
  t.equal(c.process.memory.locked, pages - 1);
  dma.unpinPages(0n, pages);
  t.equal(c.process.memory.locked, 0);
});

t.test(
  'devices unpin what is unmapped, the newest first, and are asked again for what is left',
  async (t) => {
    const { c } = mapped(8);
    const calls: string[] = [];
    let other: Dma | undefined;
    const device = (name: string, unmapped: () => void): Dma =>
      c.device((iova, length) => {
        calls.push(`${name} ${iova} ${length}`);
        unmapped();
      }, name);
    const dma: Dma = device('old', () => dma.unpinPages(0n, 1));
    other = device('new', () => other!.unpinPages(5n * PAGE, 1));
    dma.pinPages(0n, 1, IOMMU_READ);
    dma.pinPages(0n, 1, IOMMU_READ);
    other.pinPages(5n * PAGE, 1, IOMMU_READ);
    t.equal(c.unmap({ size: 8n * PAGE }), 8n * PAGE);
    t.strictSame(calls, ['new 0 32768', 'old 0 32768', 'new 0 32768', 'old 0 32768']);
    t.equal(c.process.memory.locked, 0);
    c.map({ iova: 0n });
    c.unmap({ iova: 0n });
    t.equal(calls.length, 4, 'nobody is asked for what is not pinned');
  },
);

t.test('a device may unmap nothing, but map, while it is asked to unpin', async (t) => {
  const { c } = mapped(2);
  const dma: Dma = c.device(() => {
    dma.unpinPages(0n, 2);
    c.map({ iova: 2n * PAGE });
  });
  dma.pinPages(0n, 2, IOMMU_READ);
  t.equal(c.unmap({ size: 3n * PAGE }), 3n * PAGE, 'the new mapping is in the range');
});

t.test('a device that never unpins loses its pins, and the log says so', async (t) => {
  const { c } = mapped(2);
  let asked = 0;
  c.device(() => asked++).pinPages(0n, 2, IOMMU_READ);
  t.equal(c.unmap({ size: 2n * PAGE }), 2n * PAGE);
  t.equal(asked, 11);
  t.equal(c.process.memory.locked, 0);
  t.match(c.machine.core.log.lines.at(-1), '2 pages at 0x0 are still pinned');
});

t.test('with the last group everything goes, pins too', async (t) => {
  const { c } = mapped(2);
  c.device().pinPages(0n, 2, IOMMU_READ);
  c.detach();
  t.equal(c.process.memory.locked, 0);
  t.equal(c.iommu.mappings.size, 0);
});

t.test('copies go through as many mappings as they need', async (t) => {
  const { c, vaddr } = mapped(2);
  const other = c.process.memory.map(4096);
  c.map({ iova: 2n * PAGE, vaddr: other });
  const dma = c.device();
  const data = Buffer.from(Array.from({ length: 4098 }, (_, i) => i & 0xff));
  dma.dmaWrite(2n * PAGE - 4098n + 3n, data);
  t.same(c.process.memory.read(vaddr + 2n * PAGE - 4095n, 4095), data.subarray(0, 4095));
  t.same(c.process.memory.read(other, 3), data.subarray(4095));
  t.same(dma.dmaRead(2n * PAGE - 4095n, 4098), data);
  const target = Buffer.alloc(4098);
  t.equal(dma.dmaRead(2n * PAGE - 4095n, 4098, target), target);
  t.same(target, data);
});

t.test('what is wrong with copies', async (t) => {
  const c = new Type1Container();
  const vaddr = c.process.memory.map(4096);
  const [readable, writable] = [0n, PAGE];
  c.map({ iova: readable, vaddr, flags: IOMMU_READ });
  c.map({ iova: writable, vaddr, flags: IOMMU_WRITE });
  c.map({ iova: 2n * PAGE, vaddr: 0n });
  const dma = c.device();
  t.equal(
    errnoOf(() => dma.dmaRead(3n * PAGE, 1)),
    'EINVAL',
  );
  t.equal(
    errnoOf(() => dma.dmaWrite(readable, Buffer.alloc(1))),
    'EPERM',
  );
  t.equal(
    errnoOf(() => dma.dmaRead(writable, 1)),
    'EPERM',
  );
  t.equal(
    errnoOf(() => dma.dmaWrite(writable, Buffer.alloc(1))),
    'EPERM',
    'writing needs reading',
  );
  t.equal(
    errnoOf(() => dma.dmaRead(2n * PAGE, 1)),
    'EFAULT',
  );
  t.equal(
    errnoOf(() => dma.dmaWrite(2n * PAGE, Buffer.alloc(1))),
    'EFAULT',
  );
  const v1 = new Type1Container(1);
  v1.map({ vaddr: v1.process.memory.map(4096) });
  t.equal(v1.device().dmaRead(0n, 4).length, 4, 'version 1 copies');
});

t.test('the memory of a process that has ended cannot be reached', async (t) => {
  const { c } = mapped(1);
  const dma = c.device();
  c.process.memory.unmapAll();
  t.equal(
    errnoOf(() => dma.dmaRead(0n, 1)),
    'EPERM',
  );
  t.equal(
    errnoOf(() => dma.pinPages(0n, 1, IOMMU_READ)),
    'ENODEV',
  );
});

t.test('the ledger has a line for each mapping, and totals', async (t) => {
  const { c, vaddr } = mapped(2);
  c.map({ iova: 16n * PAGE, flags: IOMMU_READ });
  c.device().pinPages(0n, 2, IOMMU_READ);
  t.equal(
    c.iommu.ledger(),
    'vfio_iommu_type1 v2\n' +
      `iova 0x0 size 0x2000 vaddr 0x${vaddr.toString(16)} rw pinned 2\n` +
      'iova 0x10000 size 0x1000 vaddr 0x0 r- pinned 0\n' +
      'mappings 2 size 0x3000 pinned 2\n',
  );
  t.equal(c.errno(VFIO_IOMMU_UNMAP_DMA, dmaUnmap({ flags: 2, size: 0n })), undefined);
});
