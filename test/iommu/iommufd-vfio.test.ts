import t from 'tap';
import * as uapi from '../../src/uapi/iommufd.js';
import { VFIO_CHECK_EXTENSION, VFIO_GET_API_VERSION, VFIO_SET_IOMMU } from '../../src/uapi/vfio.js';
import { VFIO_IOMMU_DIRTY_PAGES, VFIO_IOMMU_GET_INFO } from '../../src/uapi/vfio-iommu.js';
import { IommufdUser, MEMORY, outcome, struct, U64_MAX } from './iommufd.js';

const PAGE = 0x1000n;
const ALL = 2;

const vfioIoas = (user: IommufdUser, op: number, id = 0) => {
  const bytes = struct(12, id, op);
  const result = user.ioctl(uapi.IOMMU_VFIO_IOAS, bytes);
  return result === 0 && op === uapi.IOMMU_VFIO_IOAS_GET ? `ioas ${bytes.readUInt32LE(4)}` : result;
};

t.test(
  'which address space is meant can be set, asked and cleared; it may be destroyed all the same',
  async (t) => {
    const user = new IommufdUser();
    t.equal(vfioIoas(user, 0), 'ENODEV');
    t.equal(vfioIoas(user, 1, 1), 'ENOENT');
    user.alloc();
    t.equal(vfioIoas(user, 1, 1), 0);
    t.equal(vfioIoas(user, 0), 'ioas 1');
    t.equal(vfioIoas(user, 2), 0);
    t.equal(vfioIoas(user, 0), 'ENODEV');
    vfioIoas(user, 1, 1);
    t.equal(user.destroy(1), 0);
    t.equal(vfioIoas(user, 0), 'ENODEV');
    t.equal(vfioIoas(user, 3), 'EOPNOTSUPP');
    t.equal(vfioIoas(user, 0x10000), 'EOPNOTSUPP', 'reserved');
  },
);

t.test('a group that is attached makes one unless there is one', async (t) => {
  const user = new IommufdUser();
  t.equal(
    outcome(() => user.ctx.compatIoasId),
    'ENODEV',
  );
  user.ctx.createCompatIoas();
  user.ctx.createCompatIoas();
  t.equal(user.ctx.compatIoasId, 1);
  t.equal(vfioIoas(user, 0), 'ioas 1');
  t.equal(user.alloc(), 2);
});

t.test('without an address space requests fail with ENODEV, after what can be checked without', async (t) => {
  const user = new IommufdUser();
  t.equal(user.ioctl(VFIO_GET_API_VERSION, 0), 0);
  const extensions = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
  t.same(
    extensions.map((extension) => user.ioctl(VFIO_CHECK_EXTENSION, extension)),
    [0, 1, 0, 1, 'ENODEV', 0, 0, 0, 1, 1, 0, 0],
  );
  t.same(
    [0, 1, 3, 6, 8].map((type) => user.ioctl(VFIO_SET_IOMMU, type)),
    ['EINVAL', 'ENODEV', 'ENODEV', 'EINVAL', 'EINVAL'],
  );
  t.equal(user.mapDma(0n, 0n), 'ENODEV');
  t.equal(user.mapDma(0n, 0n, MEMORY, 4), 'EINVAL', 'flags');
  t.same(user.unmapDma(1n, 5n, ALL), ['ENODEV', 5n]);
  t.same(user.unmapDma(1n, 5n, 1), ['EINVAL', 5n]);
  t.equal(user.ioctl(VFIO_IOMMU_GET_INFO, struct(15, 0, 0n)), 'EINVAL');
  t.equal(user.ioctl(VFIO_IOMMU_GET_INFO, struct(16, 0, 0n)), 'ENODEV');
  t.equal(user.ioctl(VFIO_IOMMU_DIRTY_PAGES, struct(8, 0)), 'ENOTTY');
  user.ctx.createCompatIoas();
  t.equal(user.ioctl(VFIO_CHECK_EXTENSION, 4), 1);
  t.equal(user.ioctl(VFIO_SET_IOMMU, 3), 0);
  t.equal(user.ioctl(VFIO_SET_IOMMU, 1), 0, 'as often as one likes');
});

t.test('DMA is mapped as by IOMMU_IOAS_MAP, but may be without access', async (t) => {
  const user = new IommufdUser();
  user.ctx.createCompatIoas();
  t.equal(user.mapDma(0x1000n, PAGE, MEMORY, 0), 0);
  t.equal(user.mapDma(0x1000n, PAGE), 'EEXIST');
  t.equal(user.mapDma(0x1001n, 0n), 'EINVAL');
  t.equal(user.mapDma(0x3001n, 7n), 0, 'by the byte');
  t.equal(user.mapDma(0x4000n, U64_MAX), 'EINVAL');
  t.equal(user.mapDma(U64_MAX, 2n), 'EOVERFLOW');
  t.equal(user.mapDma(U64_MAX, 1n), 0, 'the last IOVA');
  t.match(user.ctx.ledger(), /iova=0x1000 length=0x1000 vaddr=0x200000000 prot=-- /);
});

t.test('unmapping tells the bytes also when it fails; nothing there is no failure', async (t) => {
  const user = new IommufdUser();
  user.ctx.createCompatIoas();
  t.same(user.unmapDma(0x1000n, PAGE), [0, 0n]);
  for (const iova of [0x1000n, 0x2000n]) user.mapDma(iova, PAGE);
  user.mapDma(0x3000n, 0x2000n);
  t.same(user.unmapDma(0x1000n, 0x3000n), ['ENOENT', 0x2000n], 'the third reaches out of the range');
  t.same(user.unmapDma(0n, 0n), ['EINVAL', 0n]);
  t.same(user.unmapDma(2n, U64_MAX), ['EOVERFLOW', 0n]);
  t.same(user.unmapDma(1n, 0n, ALL), ['EINVAL', 0n]);
  t.same(user.unmapDma(0n, 7n, ALL), ['EINVAL', 7n], 'but not for this one');
  t.same(user.unmapDma(0n, 0n, ALL), [0, 0x2000n]);
  t.same(user.unmapDma(0n, 0n, ALL), [0, 0n]);
});

t.test('once type 1 was asked for, mappings are cut where the range ends', async (t) => {
  const user = new IommufdUser();
  user.ctx.createCompatIoas();
  user.mapDma(0x1001n, 1n);
  t.equal(user.ioctl(VFIO_SET_IOMMU, 1), 'EADDRINUSE');
  t.same(user.unmapDma(0n, 0n, ALL), [0, 1n]);
  user.mapDma(0x10000n, 0x8000n);
  t.same(user.unmapDma(0x12000n, PAGE), ['ENOENT', 0n], 'not before');
  t.equal(user.ioctl(VFIO_SET_IOMMU, 1), 0);
  t.same(user.unmapDma(0x12000n, 0x2000n), [0, 0x2000n]);
  t.same(user.unmapDma(0x12801n, 0x2000n), ['EINVAL', 0x2000n], 'its end is no end of a page');
  t.match(
    user.ctx.ledger(),
    /iova=0x10000 length=0x2000 vaddr=0x200000000 .*\niova=0x14000 length=0x4000 vaddr=0x200004000 /,
  );
  const access = user.bind(() => {});
  access.attach(user.ctx.compatIoasId);
  access.pinPages(0x15000n, 1, 1);
  t.same(user.unmapDma(0x14000n, PAGE), ['EINVAL', PAGE], 'a device holds a page of it');
  access.unpinPages(0x15000n, 1);
  t.same(user.unmapDma(0x14000n, PAGE), [0, PAGE]);
});

t.test('the info has its capabilities as far as there is room', async (t) => {
  const user = new IommufdUser();
  user.ctx.createCompatIoas();
  const info = (argsz: number, size = argsz): Buffer => {
    const bytes = Buffer.alloc(size, 0xaa);
    bytes.writeUInt32LE(argsz);
    t.equal(user.ioctl(VFIO_IOMMU_GET_INFO, bytes), 0);
    return bytes;
  };
  const pgsizes = 0xffff_ffff_ffff_f000n;
  t.same(info(16), struct(72, 3, pgsizes));
  t.same(info(24), struct(72, 3, pgsizes, 0, 0));
  t.same(info(36), struct(72, 3, pgsizes, 0, 0, 0x10003, 0, 0xffff_ffff), 'how many mappings');
  t.same(info(40).readUInt32LE(28), 40, 'that another capability follows');
  t.same(
    info(72),
    struct(72, 3, pgsizes, 24, 0, 0x10003, 40, 0xffff_ffff, 0xaaaa_aaaa, 0x10001, 0, 1, 0, 0n, U64_MAX),
  );
});
