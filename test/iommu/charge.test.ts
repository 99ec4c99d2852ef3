import t from 'tap';
import type { UserMemory } from '../../src/base/file.js';
import { KernelError } from '../../src/lib/errno.js';
import * as uapi from '../../src/uapi/iommufd.js';
import { VFIO_IOMMU_MAP_DMA } from '../../src/uapi/vfio-iommu.js';
import { IommufdUser, MEMORY, struct } from './iommufd.js';
import { dmaMap, PAGE, Type1Container } from './type1.js';

/** Has a process's user pay for what is kept for it. */
class Budget {
  kept = 0;

  constructor(
    memory: UserMemory,
    public most: number,
  ) {
    memory.charge = (objects) => {
      if (objects > 0 && this.kept + objects > this.most) throw new KernelError(12);
      this.kept += objects;
    };
  }
}

t.test('mappings of a container are kept for a user, up to a limit, and given back', async (t) => {
  const c = new Type1Container();
  const budget = new Budget(c.process.memory, 10);
  for (let n = 0; n < 10; n++) c.map({ iova: BigInt(n) * PAGE, vaddr: MEMORY });
  t.equal(c.errno(VFIO_IOMMU_MAP_DMA, dmaMap({ iova: 10n * PAGE })), 'ENOMEM');
  t.equal(c.iommu.mappings.size, 10);
  t.equal(c.unmap({ iova: 0n, size: 4n * PAGE }), 4n * PAGE);
  t.equal(budget.kept, 6);
  const address = c.process.memory.map(1 << 20);
  c.map({ iova: 0x10_0000n, vaddr: address, size: 16n * PAGE });
  const device = c.device();
  t.throws(() => device.pinPages(0x10_0000n, 8, 3), { code: 'ENOMEM' }, 'pinned pages count too');
  t.equal(budget.kept, 7, 'all or none of them');
  device.pinPages(0x10_0000n, 3, 3);
  t.equal(budget.kept, 10);
  device.unpinPages(0x10_0000n, 3);
  c.process.exit();
  t.equal(budget.kept, 0, 'nothing stays when the container is closed');
});

t.test('objects of an iommufd and its mappings, also copied and cut ones, are kept for a user', async (t) => {
  const user = new IommufdUser();
  const budget = new Budget(user.memory, 8);
  const ioas = user.alloc();
  t.equal(budget.kept, 1);
  t.equal(user.map(ioas, 0n, 4n * PAGE), 0n);
  t.equal(user.copy([ioas, 0n], [ioas, 0x10_0000n], PAGE), 0x10_0000n);
  t.equal(budget.kept, 3);
  const other = user.alloc();
  for (let n = 0; n < 4; n++) t.equal(user.map(other, BigInt(n) * PAGE, PAGE), BigInt(n) * PAGE);
  t.equal(user.map(other, 0x10_0000n, PAGE), 'ENOMEM');
  t.equal(user.ioctl(uapi.IOMMU_IOAS_ALLOC, struct(12, 0, 0)), 'ENOMEM');
  t.equal(user.destroy(other), 0);
  t.equal(budget.kept, 3, 'what is mapped goes with its address space');
  t.equal(user.unmap(ioas, 0n, 4n * PAGE), 4n * PAGE);
  user.process.close(user.fd);
  t.equal(budget.kept, 0);
});

t.test('an address space keeps so many allowed ranges, and no more', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  const address = user.memory.map(5000 * 16);
  const ranges = Array.from({ length: 5000 }, (_, n) => [BigInt(n) * 0x10n, BigInt(n) * 0x10n + 8n]);
  user.memory.write(address, struct(...ranges.flat()));
  const allow = (count: number) =>
    user.ioctl(uapi.IOMMU_IOAS_ALLOW_IOVAS, struct(24, ioas, count, 0, address));
  t.equal(allow(4096), 0);
  t.equal(allow(4097), 'ENOMEM');
});
