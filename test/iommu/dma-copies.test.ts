import t from 'tap';
import type { Dma } from '../../src/iommu/backend.js';
import type { ProcessMemory } from '../../src/machine/user-memory.js';
import { VFIO_IOMMU_ENABLE, VFIO_IOMMU_MAP_DMA } from '../../src/uapi/vfio-iommu.js';
import { IommufdUser, MEMORY } from './iommufd.js';
import { TceContainer } from './tce.js';
import { dmaMap, Type1Container } from './type1.js';

const PAGE = 4096n;
/** Begins in the middle of one mapping and ends in the middle of the next. */
const IOVA = PAGE / 2n;
const LENGTH = 4096;

interface Copy {
  readonly address: bigint;
  /** Where in the device's memory. */
  readonly at: number;
  readonly length: number;
}

/** What is copied from and to a process's memory, as long as it is the memory of a device that is at the other end. */
function copies(memory: ProcessMemory, device: Buffer, run: () => void): Copy[] {
  const seen: Copy[] = [];
  const note = (address: bigint, bytes: Uint8Array): void => {
    const at = bytes.buffer === device.buffer ? bytes.byteOffset - device.byteOffset : -1;
    seen.push({ address, at, length: bytes.length });
  };
  const own = Object.getPrototypeOf(memory) as ProcessMemory;
  Object.assign(memory, {
    read(address: bigint, length: number) {
      const bytes = own.read.call(memory, address, length);
      note(address, bytes);
      return bytes;
    },
    readInto(address: bigint, target: Buffer) {
      note(address, target);
      own.readInto.call(memory, address, target);
    },
    write(address: bigint, bytes: Uint8Array) {
      note(address, bytes);
      own.write.call(memory, address, bytes);
    },
  });
  run();
  return seen;
}

/** A device's DMA through two mappings of a page each, of memory that is not in one piece. */
interface Backend {
  readonly memory: ProcessMemory;
  readonly first: bigint;
  readonly second: bigint;
  readonly dma: Dma;
}

const backends: Record<string, () => Backend> = {
  'a type1 container'() {
    const c = new Type1Container();
    const { memory } = c.process;
    const [first, second] = [memory.map(4096), memory.map(4096)];
    c.map({ iova: 0n, size: PAGE, vaddr: first });
    c.map({ iova: PAGE, size: PAGE, vaddr: second });
    return { memory, first, second, dma: c.device() };
  },
  'a container on POWER'() {
    const c = new TceContainer(2);
    const { memory } = c.process;
    const [first, second] = [memory.map(4096), memory.map(4096)];
    c.ioctl(VFIO_IOMMU_ENABLE);
    c.ioctl(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: 0n, size: PAGE, vaddr: first }));
    c.ioctl(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: PAGE, size: PAGE, vaddr: second }));
    return { memory, first, second, dma: c.iommu.registerDevice({ name: 'device', dmaUnmap: () => {} }) };
  },
  'an iommufd'() {
    const user = new IommufdUser();
    const [ioas, second] = [user.alloc(), MEMORY + 8n * PAGE];
    user.map(ioas, 0n, PAGE, MEMORY);
    user.map(ioas, PAGE, PAGE, second);
    const dma = user.bind();
    dma.attach(ioas);
    return { memory: user.memory, first: MEMORY, second, dma };
  },
};

for (const [name, make] of Object.entries(backends)) {
  t.test(`DMA by way of ${name} copies each byte once, between both memories`, async (t) => {
    const { memory, first, second, dma } = make();
    memory.write(first + IOVA, Buffer.alloc(2048, 'a'));
    memory.write(second, Buffer.alloc(2048, 'b'));
    const device = Buffer.alloc(3 * LENGTH);
    const part = device.subarray(LENGTH, 2 * LENGTH);
    const once = [
      { address: first + IOVA, at: LENGTH, length: 2048 },
      { address: second, at: LENGTH + 2048, length: 2048 },
    ];
    t.same(
      copies(memory, device, () => t.equal(dma.dmaRead(IOVA, LENGTH, part), part)),
      once,
    );
    t.equal(part.toString(), 'a'.repeat(2048) + 'b'.repeat(2048));
    t.ok([...device.subarray(0, LENGTH), ...device.subarray(2 * LENGTH)].every((byte) => byte === 0));
    part.reverse();
    t.same(
      copies(memory, device, () => dma.dmaWrite(IOVA, part)),
      once,
    );
    t.equal(memory.read(first + IOVA, 2048).toString(), 'b'.repeat(2048));
    t.equal(memory.read(second, 2048).toString(), 'a'.repeat(2048));
  });
}
