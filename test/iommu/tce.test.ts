import t from 'tap';
import { Machine } from '../../src/machine/machine.js';
import { VFIO_CHECK_EXTENSION, VFIO_GROUP_UNSET_CONTAINER, VFIO_SET_IOMMU } from '../../src/uapi/vfio.js';
import {
  VFIO_EEH_PE_OP,
  VFIO_IOMMU_DISABLE,
  VFIO_IOMMU_ENABLE,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_SPAPR_REGISTER_MEMORY,
  VFIO_IOMMU_SPAPR_TCE_CREATE,
  VFIO_IOMMU_SPAPR_TCE_GET_INFO,
  VFIO_IOMMU_SPAPR_TCE_REMOVE,
  VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY,
  VFIO_IOMMU_UNMAP_DMA,
} from '../../src/uapi/vfio-iommu.js';
import { powerMachine, region, removal, TceContainer, window } from './tce.js';
import { dmaMap, dmaUnmap, errnoOf, PAGE } from './type1.js';

const WINDOW = 0x8000_0000;
const SECOND = 1n << 59n;

t.test('the backend is there on POWER only, and says so', async (t) => {
  t.throws(() => new Machine().modprobe('vfio_iommu_spapr_tce'), { code: 'ENOENT' });
  const machine = powerMachine();
  machine.modprobe('vfio_iommu_spapr_tce');
  const process = machine.process();
  const fd = process.open('/dev/vfio/vfio', 2);
  const has = Array.from({ length: 12 }, (_, i) => i).filter((i) =>
    process.ioctl(fd, VFIO_CHECK_EXTENSION, i),
  );
  t.strictSame(has, [2, 7]);
});

t.test('GET_INFO shows the 32-bit window, and in version 2 what windows can be made', async (t) => {
  const info = (c: TceContainer, argsz: number): string => {
    const bytes = Buffer.alloc(40, 0xee);
    bytes.writeUInt32LE(argsz);
    c.ioctl(VFIO_IOMMU_SPAPR_TCE_GET_INFO, bytes);
    return bytes.toString('hex');
  };
  const [v1, v2] = [new TceContainer(2), new TceContainer(7)];
  t.equal(info(v1, 16), `10000000${'00000000'}${'00000000'}00000080${'ee'.repeat(24)}`);
  t.equal(info(v1, 32), `20000000${'00000000'}${'00000000'}00000080${'00'.repeat(16)}${'ee'.repeat(8)}`);
  t.equal(info(v2, 31), `1f00000001000000${'00000000'}00000080${'ee'.repeat(24)}`);
  t.equal(
    info(v2, 40),
    `2800000001000000${'00000000'}00000080${'0010210100000000'}0200000005000000${'ee'.repeat(8)}`,
  );
  t.equal(v1.errno(VFIO_IOMMU_SPAPR_TCE_GET_INFO, Buffer.alloc(32)), 'EINVAL');
  t.equal(v1.errno(VFIO_IOMMU_SPAPR_TCE_GET_INFO, Buffer.alloc(15)), 'EFAULT');
});

t.test('version 1 has to be enabled, which counts its window as locked', async (t) => {
  const c = new TceContainer(2);
  const vaddr = c.process.memory.map(4 * 4096);
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ vaddr })), 'EPERM');
  t.equal(c.errno(VFIO_IOMMU_UNMAP_DMA, dmaUnmap({})), 'EPERM');
  t.equal(c.ioctl(VFIO_IOMMU_ENABLE), 0);
  t.equal(c.errno(VFIO_IOMMU_ENABLE), 'EBUSY');
  t.equal(c.process.memory.locked, WINDOW / 4096);
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ vaddr })), undefined);
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ vaddr })), undefined, 'replaces what was there');
  t.equal(c.process.memory.locked, WINDOW / 4096 + 2048, 'and the table of the window');
  t.equal(c.ioctl(VFIO_IOMMU_DISABLE), 0);
  t.equal(c.ioctl(VFIO_IOMMU_DISABLE), 0);
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ vaddr })), 'EPERM');
  c.process.ioctl(c.group, VFIO_GROUP_UNSET_CONTAINER);
  t.equal(c.process.memory.locked, 0);
  t.equal(new TceContainer(2, 1000).errno(VFIO_IOMMU_ENABLE), 'ENOMEM');
});

t.test('each version knows its own requests', async (t) => {
  const [v1, v2] = [new TceContainer(2), new TceContainer(7)];
  for (const request of [VFIO_IOMMU_ENABLE, VFIO_IOMMU_DISABLE]) t.equal(v2.errno(request), 'ENOTTY');
  for (const request of [
    VFIO_IOMMU_SPAPR_REGISTER_MEMORY,
    VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY,
    VFIO_IOMMU_SPAPR_TCE_CREATE,
    VFIO_IOMMU_SPAPR_TCE_REMOVE,
  ])
    t.equal(v1.errno(request, Buffer.alloc(40)), 'ENOTTY');
  t.equal(v1.errno(VFIO_EEH_PE_OP, Buffer.alloc(40)), 'ENODEV');
});

t.test('version 1 takes one group, version 2 several', async (t) => {
  const [v1, v2] = [new TceContainer(2), new TceContainer(7)];
  t.throws(() => v1.join(v1.process.open('/dev/vfio/1', 2)), { code: 'EBUSY' });
  v2.join(v2.process.open('/dev/vfio/1', 2));
  t.equal(v2.iommu.groups.size, 2);
});

t.test('what is wrong with mapping', async (t) => {
  const c = new TceContainer(2);
  c.ioctl(VFIO_IOMMU_ENABLE);
  const vaddr = c.process.memory.map(4096);
  const map = (fields: Parameters<typeof dmaMap>[0]) =>
    c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ vaddr, ...fields }));
  t.equal(map({ argsz: 31 }), 'EINVAL');
  t.equal(map({ flags: 4 }), 'EINVAL');
  t.equal(map({ flags: 0 }), 'EINVAL');
  t.equal(map({ iova: BigInt(WINDOW) }), 'ENXIO', 'in no window');
  t.equal(map({ size: 1n }), 'EINVAL');
  t.equal(map({ vaddr: vaddr + 1n }), 'EINVAL');
  t.equal(map({ iova: 1n }), 'EINVAL');
  t.equal(map({ size: 2n * PAGE }), 'EFAULT');
  t.equal(c.iommu.tables[0]!.entries.size, 0, 'what was filled is cleared');
  t.equal(map({ iova: BigInt(WINDOW) - PAGE }), undefined);
  t.equal(
    c.errno(VFIO_IOMMU_UNMAP_DMA, dmaUnmap({ iova: BigInt(WINDOW) - PAGE, size: 2n * PAGE })),
    'EINVAL',
  );
  t.equal(c.errno(VFIO_IOMMU_UNMAP_DMA, dmaUnmap({ flags: 1 })), 'EINVAL');
  t.equal(c.errno(VFIO_IOMMU_UNMAP_DMA, dmaUnmap({ size: BigInt(WINDOW) })), undefined, 'whatever is mapped');
  t.equal(c.iommu.tables[0]!.entries.size, 0);
});

t.test('version 2 maps only memory that is registered, once', async (t) => {
  const c = new TceContainer(7);
  const { memory } = c.process;
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({})), 'EPERM', 'nothing was registered');
  t.equal(c.errno(VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, region(0n, PAGE)), 'EPERM');
  const vaddr = c.memory(4);
  t.equal(memory.locked, 4);
  const register = (at: bigint, size: bigint, options = {}) =>
    c.errno(VFIO_IOMMU_SPAPR_REGISTER_MEMORY, region(at, size, options));
  t.equal(register(vaddr, 4n * PAGE), 'EBUSY');
  t.equal(register(vaddr, PAGE), 'EINVAL', 'overlaps');
  t.equal(register(vaddr + 1n, PAGE), 'EINVAL');
  t.equal(register(vaddr, 1n), 'EINVAL');
  t.equal(register(0n, PAGE), 'EFAULT');
  t.equal(register(0n, 0n), 'ENOMEM');
  t.equal(register(vaddr, PAGE, { flags: 1 }), 'EINVAL');
  t.equal(register(vaddr, PAGE, { argsz: 23 }), 'EINVAL');
  t.equal(memory.locked, 4);
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ vaddr: vaddr + 4n * PAGE })), 'EINVAL');
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ vaddr: vaddr + PAGE })), undefined);
  t.equal(memory.locked, 4 + 2048 + 1024, 'the table, and its copy of addresses');
  t.equal(c.errno(VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, region(vaddr, PAGE)), 'ENOENT');
  t.equal(c.errno(VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, region(vaddr, 4n * PAGE)), undefined);
  t.equal(memory.locked, 4 + 2048 + 1024, 'it is still mapped');
  c.ioctl(VFIO_IOMMU_UNMAP_DMA, dmaUnmap({}));
  t.equal(memory.locked, 2048 + 1024);
  c.process.ioctl(c.group, VFIO_GROUP_UNSET_CONTAINER);
  t.equal(memory.locked, 0);
});

t.test('windows are made and removed', async (t) => {
  const c = new TceContainer(7);
  const create = (...args: Parameters<typeof window>) =>
    c.errno(VFIO_IOMMU_SPAPR_TCE_CREATE, window(...args));
  t.equal(create(13, 1n << 30n, 1), 'EINVAL', 'no such page size');
  t.equal(create(16, 3n << 30n, 1), 'EINVAL', 'no power of two');
  t.equal(create(16, 1n << 30n, 0), 'EINVAL');
  t.equal(create(16, 1n << 30n, 6), 'EINVAL');
  t.equal(create(16, 1n << 30n, 1, { argsz: 39 }), 'EINVAL');
  t.equal(create(16, 1n << 30n, 1, { flags: 1 }), 'EINVAL');
  t.equal(c.createWindow(16, 1n << 30n), SECOND, 'beside the window that is always there');
  t.equal(create(16, 1n << 30n, 1), 'ENOSPC');
  const remove = (start: bigint, argsz?: number) =>
    c.errno(VFIO_IOMMU_SPAPR_TCE_REMOVE, removal(start, argsz));
  t.equal(remove(SECOND + (1n << 30n)), 'EINVAL');
  t.equal(remove(SECOND, 15), 'EINVAL');
  t.equal(remove(0n), undefined);
  t.equal(c.createWindow(12, 1n << 31n), 0n, 'the first is free again');
  t.equal(remove(SECOND), undefined);
  t.equal(remove(SECOND), 'EINVAL');
  t.equal(remove(0n), undefined);
  t.equal(c.process.memory.locked, 0);
});

t.test('a window of large pages maps large pages only', async (t) => {
  const c = new TceContainer(7);
  const vaddr = c.memory(32);
  const start = c.createWindow(16, 1n << 30n);
  const aligned = (vaddr + 0xffffn) & ~0xffffn;
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: start, vaddr: aligned, size: 1n << 16n })), undefined);
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: start, vaddr: aligned, size: PAGE })), 'EINVAL');
  const memory = c.process.memory;
  memory.map(0x8000, 0x2000_0000n);
  memory.map(0x8000, 0x2000_8000n);
  c.ioctl(VFIO_IOMMU_SPAPR_REGISTER_MEMORY, region(0x2000_0000n, 0x10000n));
  const broken = dmaMap({ iova: start, vaddr: 0x2000_0000n, size: 1n << 16n });
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, broken), 'EPERM');
});

t.test('another process may not use the container', async (t) => {
  const c = new TceContainer(2);
  c.ioctl(VFIO_IOMMU_ENABLE);
  const child = c.process.fork(999);
  t.throws(() => child.ioctl(c.container, VFIO_IOMMU_DISABLE), { code: 'EPERM' });
  t.equal(child.ioctl(c.container, VFIO_CHECK_EXTENSION, 2), 1);
});

for (const type of [2, 7])
  t.test(`devices without an IOMMU pin and copy, type ${type}`, async (t) => {
    const c = new TceContainer(type);
    const vaddr = type === 7 ? c.memory(4) : c.process.memory.map(4 * 4096);
    if (type === 2) c.ioctl(VFIO_IOMMU_ENABLE);
    c.ioctl(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: 0n, vaddr, size: 3n * PAGE }));
    c.ioctl(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: 3n * PAGE, vaddr: vaddr + 3n * PAGE, flags: 1 }));
    const calls: string[] = [];
    const dma = c.iommu.registerDevice({
      name: 'device',
      dmaUnmap: (iova, length) => {
        calls.push(`${iova} ${length}`);
        dma.unpinPages(0n, 4);
      },
    });
    const { locked } = c.process.memory;
    const pages = dma.pinPages(0n, 4, 1);
    dma.dmaWrite(PAGE - 2n, Buffer.from('abcd'));
    t.equal(pages[1]!.read(0, 2).toString(), 'cd');
    t.equal(dma.dmaRead(PAGE - 2n, 4).toString(), 'abcd');
    t.equal(c.process.memory.locked, locked, 'mapped memory is locked already');
    t.equal(
      errnoOf(() => dma.pinPages(3n * PAGE, 1, 2)),
      'EPERM',
    );
    t.equal(
      errnoOf(() => dma.pinPages(3n * PAGE, 2, 1)),
      'EINVAL',
    );
    t.equal(
      errnoOf(() => dma.dmaWrite(3n * PAGE, Buffer.alloc(1))),
      'EPERM',
    );
    t.equal(
      errnoOf(() => dma.dmaRead(4n * PAGE, 1)),
      'EINVAL',
    );
    t.equal(
      c.iommu.ledger(),
      `vfio_iommu_spapr_tce${type === 7 ? ' v2' : ''} enabled\n` +
        'window 0x0 size 0x80000000 page 0x1000\n' +
        `iova 0x0 size 0x3000 vaddr 0x${vaddr.toString(16)} rw pinned 3\n` +
        `iova 0x3000 size 0x1000 vaddr 0x${(vaddr + 3n * PAGE).toString(16)} r- pinned 1\n` +
        'mappings 2 size 0x4000 pinned 4\n',
    );
    c.ioctl(VFIO_IOMMU_UNMAP_DMA, dmaUnmap({ iova: 0n, size: 2n * PAGE }));
    t.strictSame(calls, ['0 8192']);
    t.equal(c.iommu.pins.size, 0);
    t.equal(
      errnoOf(() => dma.pinPages(0n, 1, 1)),
      'EINVAL',
    );
  });

t.test('a device that never unpins loses its pins', async (t) => {
  const c = new TceContainer(7);
  c.ioctl(VFIO_IOMMU_MAP_DMA, dmaMap({ vaddr: c.memory(1) }));
  c.iommu.registerDevice({ name: 'device', dmaUnmap: () => {} }).pinPages(0n, 1, 1);
  c.process.ioctl(c.group, VFIO_GROUP_UNSET_CONTAINER);
  t.equal(c.iommu.pins.size, 0);
  t.equal(c.process.memory.locked, 0);
  t.match(c.machine.core.log.lines.at(-1), 'still pinned');
  t.throws(() => c.process.ioctl(c.container, VFIO_SET_IOMMU, 7), { code: 'EINVAL' });
});
