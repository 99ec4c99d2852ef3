import t from 'tap';
import {
  VFIO_IOMMU_DIRTY_PAGES,
  VFIO_IOMMU_ENABLE,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_UNMAP_DMA,
} from '../../src/uapi/vfio-iommu.js';
import { dirtyGet, dmaMap, dmaUnmap, PAGE, Type1Container } from './type1.js';

const TOP = 2n ** 64n - PAGE;

t.test('a mapping needs a range of whole pages that does not wrap, and READ, WRITE or both', async (t) => {
  const c = new Type1Container();
  const map = (fields: Parameters<typeof dmaMap>[0]) => c.errno(VFIO_IOMMU_MAP_DMA, dmaMap(fields));
  t.equal(map({ size: 0n }), 'EINVAL');
  t.equal(map({ size: 0xfffn }), 'EINVAL');
  t.equal(map({ iova: 1n }), 'EINVAL');
  t.equal(map({ vaddr: 1n }), 'EINVAL');
  t.equal(map({ iova: TOP, size: 2n * PAGE }), 'EINVAL');
  t.equal(map({ vaddr: TOP, size: 2n * PAGE }), 'EINVAL');
  t.equal(map({ flags: 0 }), 'EINVAL');
  t.equal(map({ flags: 8 }), 'EINVAL');
  t.equal(map({ flags: 7 }), 'EINVAL', 'access and another address at once');
  t.equal(map({ flags: 4 }), 'ENOENT', 'another address for nothing');
  t.equal(map({ argsz: 31 }), 'EINVAL');
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, Buffer.alloc(31)), 'EFAULT');
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, 0n), 'EFAULT');
  t.equal(c.iommu.mappings.size, 0);
  t.equal(map({ argsz: 33, flags: 1 }), undefined);
  t.equal(map({ flags: 4 }), 'EINVAL', 'its address was never taken back');
  t.equal(map({}), 'EEXIST');
  t.equal(
    map({ iova: 2n ** 63n, vaddr: 0n, size: 2n ** 50n }),
    undefined,
    'nothing is checked but the range',
  );
});

t.test('a mapping overlaps when one page is common', async (t) => {
  const c = new Type1Container();
  c.map({ iova: 16n * PAGE, size: 16n * PAGE });
  for (const [iova, size] of [
    [16n, 16n],
    [24n, 1n],
    [15n, 2n],
    [31n, 2n],
    [0n, 1000n],
  ] as const)
    t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: iova * PAGE, size: size * PAGE })), 'EEXIST');
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: 32n * PAGE })), undefined);
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: 15n * PAGE })), undefined);
});

t.test('version 2 unmaps whole mappings only, and says how much that was', async (t) => {
  const c = new Type1Container();
  c.map({ iova: 0n, size: 4n * PAGE });
  c.map({ iova: 4n * PAGE, size: 4n * PAGE });
  t.equal(c.errno(VFIO_IOMMU_UNMAP_DMA, dmaUnmap({ iova: PAGE, size: PAGE })), 'EINVAL');
  t.equal(c.errno(VFIO_IOMMU_UNMAP_DMA, dmaUnmap({ iova: 0n, size: 5n * PAGE })), 'EINVAL');
  t.equal(c.errno(VFIO_IOMMU_UNMAP_DMA, dmaUnmap({ iova: 3n * PAGE, size: 5n * PAGE })), 'EINVAL');
  t.equal(c.unmap({ iova: 100n * PAGE }), 0n, 'nothing there');
  t.equal(c.unmap({ iova: 4n * PAGE, size: 96n * PAGE }), 4n * PAGE);
  t.equal(c.unmap({ flags: 2, iova: 0n, size: 0n }), 4n * PAGE);
});

t.test('version 1 unmaps whole mappings that begin in the range', async (t) => {
  const c = new Type1Container(1);
  c.map({ iova: 0n, size: 4n * PAGE });
  c.map({ iova: 4n * PAGE, size: 4n * PAGE });
  t.equal(c.unmap({ iova: PAGE, size: 4n * PAGE }), 0n, 'begins inside of the first');
  t.equal(c.unmap({ iova: 0n, size: PAGE }), 4n * PAGE);
  t.equal(c.unmap({ iova: 3n * PAGE, size: 2n * PAGE }), 4n * PAGE);
});

t.test('what is wrong with an unmap is told in order', async (t) => {
  const c = new Type1Container();
  const unmap = (fields: Parameters<typeof dmaUnmap>[0]) => c.errno(VFIO_IOMMU_UNMAP_DMA, dmaUnmap(fields));
  t.equal(unmap({ argsz: 23 }), 'EINVAL');
  t.equal(unmap({ flags: 8 }), 'EINVAL');
  t.equal(unmap({ flags: 3 }), 'EINVAL');
  t.equal(unmap({ flags: 4, iova: 1n }), 'EBUSY', 'addresses stay while a mediated device is there');
  t.equal(unmap({ flags: 6 }), 'EBUSY');
  t.equal(unmap({ flags: 2, size: PAGE }), 'EINVAL');
  t.equal(unmap({ flags: 2, iova: PAGE, size: 0n }), 'EINVAL');
  t.equal(unmap({ iova: 1n }), 'EINVAL');
  t.equal(unmap({ size: 1n }), 'EINVAL');
  t.equal(unmap({ size: 0n }), 'EINVAL');
  t.equal(unmap({ iova: TOP, size: 2n * PAGE }), 'EINVAL');
  t.equal(unmap({ flags: 1 }), 'EINVAL', 'no room for a bitmap');
  t.equal(c.errno(VFIO_IOMMU_UNMAP_DMA, Buffer.alloc(23)), 'EFAULT');
});

t.test('a mapping up to the end of the address space hides from every search', async (t) => {
  const c = new Type1Container();
  c.map({ iova: TOP });
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: TOP })), undefined, 'again');
  t.equal(c.unmap({ iova: TOP }), 0n);
  t.equal(c.unmap({ flags: 2, iova: 0n, size: 0n }), 0n, 'also from unmapping all');
  // The one below is the left child of the first: the way to it is barred.
  c.map({ iova: 0n });
  t.equal(c.iommu.mappings.size, 3);
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: 0n })), 'EEXIST');
  c.detach();
  t.equal(c.iommu.mappings.size, 0, 'with the last group it goes');
});

t.test('mappings are limited by the module parameter of the time when the backend was chosen', async (t) => {
  const c = new Type1Container(3, { dma_entry_limit: '2' });
  c.map({ iova: 0n });
  c.map({ iova: PAGE });
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: 2n * PAGE })), 'ENOSPC');
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: PAGE })), 'EEXIST', 'comes first');
  c.unmap({ iova: 0n });
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: 2n * PAGE })), undefined);
});

t.test('GET_INFO appends its capabilities where they fit, and says how much they need', async (t) => {
  const c = new Type1Container();
  c.map({});
  const info = (argsz: number): string => {
    const bytes = Buffer.alloc(72, 0xee);
    bytes.writeUInt32LE(argsz);
    t.equal(c.errno(VFIO_IOMMU_GET_INFO, bytes), undefined);
    return bytes.toString('hex');
  };
  const [head, tail] = ['0300000000f0ffffffffffff', 'ee'.repeat(48)];
  t.equal(info(16), `48000000${head}${'ee'.repeat(8)}${tail}`);
  t.equal(info(71), `48000000${head}${'00'.repeat(8)}${tail}`);
  t.equal(
    info(72),
    `48000000${head}1800000000000000` +
      '02000100380000000000000000000000' +
      '00100000000000000000001000000000' +
      '0300010000000000feff000000000000',
  );
  t.equal(c.errno(VFIO_IOMMU_GET_INFO, Buffer.from('0f000000000000000000000000000000', 'hex')), 'EINVAL');
  t.equal(c.errno(VFIO_IOMMU_GET_INFO, Buffer.alloc(15)), 'EFAULT');
});

t.test('dirty pages: one request at a time, of version 2', async (t) => {
  const dirty = (c: Type1Container, argsz: number, flags: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32LE(argsz, 0);
    bytes.writeUInt32LE(flags, 4);
    return c.errno(VFIO_IOMMU_DIRTY_PAGES, bytes);
  };
  const c = new Type1Container();
  for (const flags of [0, 3, 5, 6, 7, 8, 0x8000_0000]) t.equal(dirty(c, 8, flags), 'EINVAL', `${flags}`);
  t.equal(dirty(c, 7, 1), 'EINVAL');
  t.equal(dirty(c, 8, 4), 'EINVAL', 'no room for a range');
  t.equal(dirty(c, 48, 4), 'EFAULT');
  t.equal(dirty(c, 8, 1), undefined);
  t.equal(dirty(c, 8, 1), undefined, 'twice');
  t.equal(dirty(c, 8, 2), undefined);
  t.equal(dirty(c, 8, 2), undefined, 'not started');
  c.map({ size: 2n ** 44n });
  t.equal(dirty(c, 8, 1), 'EINVAL', 'more pages than a bitmap has');
  t.equal(c.iommu.dirtyTracking, false);
  t.equal(dirty(new Type1Container(1), 0, 0), 'EACCES');
  t.equal(c.errno(VFIO_IOMMU_DIRTY_PAGES, Buffer.alloc(4)), 'EFAULT');
});

t.test('pinned pages stay dirty, written ones until they are asked for', async (t) => {
  const c = new Type1Container();
  const vaddr = c.process.memory.map(130 * 4096);
  const data = c.process.memory.map(4096);
  c.map({ iova: 0n, size: 3n * PAGE, vaddr });
  c.map({ iova: 3n * PAGE, size: 127n * PAGE, vaddr: vaddr + 3n * PAGE });
  const dma = c.device();
  const get = (iova: bigint, size: bigint, pgsize = PAGE, bytes = 24n, at = data) =>
    c.errno(VFIO_IOMMU_DIRTY_PAGES, dirtyGet(iova, size, { pgsize, size: bytes, data: at }));
  const bits = () => c.process.memory.read(data, 24).toString('hex');
  t.equal(get(0n, 130n * PAGE), 'EINVAL', 'not started');
  dma.pinPages(PAGE, 1, 1);
  c.ioctl(VFIO_IOMMU_DIRTY_PAGES, Buffer.from('0800000001000000', 'hex'));
  dma.dmaWrite(67n * PAGE + 4095n, Buffer.from('ab'));
  dma.dmaRead(70n * PAGE, 1);
  t.equal(get(0n, 130n * PAGE), undefined);
  t.equal(bits(), `0200000000000000${'1800000000000000'}0000000000000000`);
  c.process.memory.write(data, Buffer.alloc(24));
  t.equal(get(0n, 130n * PAGE), undefined);
  t.equal(bits(), `0200000000000000${'00'.repeat(16)}`, 'what was written is forgotten');
  dma.unpinPages(PAGE, 1);
  c.process.memory.write(data, Buffer.alloc(24, 0xff));
  t.equal(get(0n, 130n * PAGE), undefined);
  t.equal(bits(), `02${'00'.repeat(23)}`, 'pinned when it was asked last');
  t.equal(get(0n, 130n * PAGE), undefined);
  t.equal(bits(), '00'.repeat(24));
  t.equal(get(PAGE, 129n * PAGE), 'EINVAL', 'cuts a mapping');
  t.equal(get(0n, 4n * PAGE), 'EINVAL', 'cuts the other');
  t.equal(get(1n, 130n * PAGE), 'EINVAL');
  t.equal(get(0n, 0n), 'EINVAL');
  t.equal(get(0n, 130n * PAGE, 2n * PAGE), 'EINVAL', 'not the page size');
  t.equal(get(0n, 130n * PAGE, PAGE, 16n), 'EINVAL', 'too small a bitmap');
  t.equal(get(0n, 130n * PAGE, PAGE, 2n ** 29n), 'EINVAL', 'too large a one');
  t.equal(get(0n, 130n * PAGE, PAGE, 24n, 2n ** 63n), 'EINVAL', 'not in user space');
  t.equal(get(0n, 130n * PAGE, PAGE, 24n, 0n), 'EFAULT');
});

t.test('an unmap can take the dirty pages along', async (t) => {
  const c = new Type1Container();
  const vaddr = c.process.memory.map(8 * 4096);
  const data = c.process.memory.map(4096);
  c.map({ iova: 0n, size: 8n * PAGE, vaddr });
  const unmap = (bitmap = { pgsize: PAGE, size: 8n, data }) =>
    c.errno(VFIO_IOMMU_UNMAP_DMA, dmaUnmap({ flags: 1, argsz: 48, size: 8n * PAGE }, bitmap));
  t.equal(unmap(), 'EINVAL', 'not tracked');
  c.ioctl(VFIO_IOMMU_DIRTY_PAGES, Buffer.from('0800000001000000', 'hex'));
  c.device().dmaWrite(7n * PAGE, Buffer.from('a'));
  t.equal(unmap({ pgsize: PAGE, size: 8n, data: 0n }), 'EFAULT');
  t.equal(c.iommu.mappings.size, 1, 'and is still there');
  t.equal(unmap(), undefined);
  t.equal(c.process.memory.read(data, 8).toString('hex'), '8000000000000000');
  t.equal(c.iommu.mappings.size, 0);
});

t.test('a request that type1 does not know is ENOTTY', async (t) => {
  const c = new Type1Container();
  t.equal(c.errno(VFIO_IOMMU_ENABLE, Buffer.alloc(8)), 'ENOTTY');
});
