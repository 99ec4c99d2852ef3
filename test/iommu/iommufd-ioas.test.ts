import t from 'tap';
import * as uapi from '../../src/uapi/iommufd.js';
import { IommufdUser, MEMORY, struct, U64_MAX } from './iommufd.js';

const PAGE = 0x1000n;

t.test('the checks of a mapping come in the order of the kernel', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  const map = (flags: number, id: number, reserved: number, va: bigint, length: bigint, iova: bigint) =>
    user.ioctl(uapi.IOMMU_IOAS_MAP, struct(40, flags, id, reserved, va, length, iova));
  t.equal(map(8, 99, 0, 0n, U64_MAX, 0n), 'EOPNOTSUPP', 'unknown flags');
  t.equal(map(7, 99, 1, 0n, U64_MAX, 0n), 'EOPNOTSUPP', 'reserved');
  t.equal(map(1, 99, 0, 0n, U64_MAX, 0n), 'EOVERFLOW', 'length');
  t.equal(map(1, 99, 0, 0n, 1n, U64_MAX), 'EOVERFLOW', 'iova');
  t.equal(map(1, 99, 0, 0n, 0n, 0n), 'EINVAL', 'neither readable nor writable');
  t.equal(map(7, 99, 0, 0n, 0n, 0n), 'ENOENT');
  t.equal(map(7, ioas, 0, 0n, 0n, 0n), 'EINVAL', 'no bytes');
  t.equal(map(7, ioas, 0, 0n, U64_MAX - 0xffen, 0n), 'EINVAL', 'nearly 2^64');
  t.equal(map(7, ioas, 0, 0x2000n, U64_MAX - PAGE, 0n), 'EOVERFLOW', 'the end of the memory');
  t.equal(map(7, ioas, 0, 0n, PAGE, U64_MAX - 0xffen), 'EOVERFLOW', 'the end of the IOVAs');
  t.equal(user.ctx.ledger(), 'ioas 1 devices=0\n', 'nothing happened');
});

t.test('nobody looks at the memory when it is mapped, and every byte can be mapped', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  t.equal(user.map(ioas, 0x9000n, PAGE, 0n), 0x9000n, 'address 0');
  t.equal(user.map(ioas, U64_MAX - 0xfffn, PAGE), U64_MAX - 0xfffn, 'the last page');
  t.equal(user.map(ioas, 0x5001n, 100n, MEMORY + 7n), 0x5001n);
  t.equal(user.map(ioas, 0x5000n, 2n), 'EEXIST');
  t.equal(user.map(ioas, 0x5065n, 1n), 0x5065n);
  t.equal(user.map(ioas, 0n, 0x4000_0000_0000_0000n, 0x7f00_0000_0000n), 'EEXIST', 'over all of them');
  t.equal(
    user.ctx.ioas(ioas).ledger(),
    `iova=0x5001 length=0x64 vaddr=0x200000007 prot=rw pinned=0
iova=0x5065 length=0x1 vaddr=0x200000000 prot=rw pinned=0
iova=0x9000 length=0x1000 vaddr=0x0 prot=rw pinned=0
iova=0xfffffffffffff000 length=0x1000 vaddr=0x200000000 prot=rw pinned=0
`,
  );
});

t.test('an IOVA is chosen: the lowest that fits, from 0x1000, as aligned as the memory', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  t.equal(user.map(ioas, 0x1000n, PAGE), 0x1000n);
  t.equal(user.map(ioas, undefined, PAGE), 0x2000n);
  t.equal(user.map(ioas, undefined, 0x3000n), 0x4000n, 'aligned to the next power of two of its length');
  t.equal(user.map(ioas, undefined, PAGE), 0x3000n);
  t.equal(user.map(ioas, undefined, 0x3000n, MEMORY + PAGE), 0x7000n, 'aligned as the memory');
  t.equal(user.map(ioas, undefined, 16n, MEMORY + 0x10n), 0xa010n, 'at the same place of its page');
  t.equal(user.map(ioas, undefined, 1n, MEMORY + 1n), 0xa001n);
  t.equal(user.map(ioas, undefined, U64_MAX / 2n, 0n), 'EOVERFLOW');
  t.equal(user.map(ioas, undefined, 0x3000n, 0n, 4), 0xc000n, 'address 0 is aligned to everything');
});

t.test('it is chosen from the allowed ranges, which a given IOVA need not keep to', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  t.equal(user.allow(ioas, [0x30000n, 0x31fffn], [0x8000n, 0x8fffn]), 0);
  t.equal(user.map(ioas, undefined, 0x2000n), 0x30000n);
  t.equal(user.map(ioas, undefined, PAGE), 0x8000n);
  t.equal(user.map(ioas, undefined, PAGE), 'ENOSPC');
  t.equal(user.map(ioas, 0x9000n, PAGE), 0x9000n);
  t.equal(user.allow(ioas, [0x10000n, 0x10fffn], [0x11000n, 0x11fffn]), 0, 'neighbours are one range');
  t.equal(user.map(ioas, undefined, 0x2000n), 0x10000n);
  t.equal(user.allow(ioas, [0n, U64_MAX]), 0);
  t.equal(user.map(ioas, undefined, PAGE), 0x1000n);
  t.equal(user.allow(ioas), 0, 'no range allows all');
  t.equal(user.map(ioas, undefined, PAGE), 0x2000n);
});

t.test(
  'allowed ranges do not overlap and have two IOVAs at least; a wrong one changes nothing',
  async (t) => {
    const user = new IommufdUser();
    const ioas = user.alloc();
    user.allow(ioas, [0x8000n, 0x8fffn]);
    t.equal(user.allow(ioas, [5n, 5n]), 'EINVAL');
    t.equal(user.allow(ioas, [6n, 5n]), 'EINVAL');
    t.equal(user.allow(ioas, [0x1000n, 0x1fffn], [0x3000n, 0x3fffn], [0x1fffn, 0x2000n]), 'EINVAL');
    t.equal(user.allow(ioas, [0x1000n, 0x9fffn], [0x3000n, 0x3fffn]), 'EINVAL');
    t.equal(user.allow(99, [6n, 5n]), 'ENOENT');
    t.equal(user.ioctl(uapi.IOMMU_IOAS_ALLOW_IOVAS, struct(24, 99, 1, 1, 0n)), 'EOPNOTSUPP');
    t.equal(user.ioctl(uapi.IOMMU_IOAS_ALLOW_IOVAS, struct(24, ioas, 1, 0, 0n)), 'EFAULT');
    t.equal(user.map(ioas, undefined, PAGE), 0x8000n);
    t.equal(user.map(ioas, undefined, PAGE), 'ENOSPC');
  },
);

t.test(
  'the ranges of IOVAs are told with their number, EMSGSIZE when the caller has too little room',
  async (t) => {
    const user = new IommufdUser();
    const ioas = user.alloc();
    const bytes = struct(32, ioas, 0, 0, 0n, 0n);
    t.equal(user.ioctl(uapi.IOMMU_IOAS_IOVA_RANGES, bytes), 'EMSGSIZE');
    t.same(bytes, struct(32, ioas, 1, 0, 0n, 1n));
    const room = struct(32, ioas, 8, 0, MEMORY, 0n);
    t.equal(user.ioctl(uapi.IOMMU_IOAS_IOVA_RANGES, room), 0);
    t.same(room, struct(32, ioas, 1, 0, MEMORY, 1n));
    t.same(user.memory.read(MEMORY, 16), struct(0n, U64_MAX));
    t.equal(user.ioctl(uapi.IOMMU_IOAS_IOVA_RANGES, struct(32, ioas, 1, 0, 0n, 0n)), 'EFAULT');
    t.equal(user.ioctl(uapi.IOMMU_IOAS_IOVA_RANGES, struct(32, 99, 0, 1, 0n, 0n)), 'EOPNOTSUPP');
    t.equal(user.ioctl(uapi.IOMMU_IOAS_IOVA_RANGES, struct(32, 99, 0, 0, 0n, 0n)), 'ENOENT');
  },
);

t.test('unmapping takes whole mappings only, and tells how many bytes', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  for (const iova of [0x1000n, 0x3000n, 0x20000n]) user.map(ioas, iova, 0x2000n);
  t.equal(user.unmap(ioas, 0x1000n, PAGE), 'ENOENT', 'the first part of one');
  t.equal(user.unmap(ioas, 0x2000n, PAGE), 'ENOENT', 'the last part of one');
  t.equal(user.unmap(ioas, 0x8000n, PAGE), 'ENOENT', 'nothing is there');
  t.equal(user.unmap(ioas, 0n, 0n), 'EINVAL');
  t.equal(user.unmap(ioas, 1n, U64_MAX), 'EOVERFLOW');
  t.equal(user.unmap(ioas, U64_MAX, 1n), 'EOVERFLOW');
  t.equal(user.unmap(ioas, 3n, U64_MAX - 1n), 'EOVERFLOW', 'beyond the last IOVA');
  t.equal(user.unmap(99, 1n, U64_MAX), 'ENOENT', 'the address space first');
  t.equal(user.unmap(ioas, 0x1n, 0x10000n), 0x4000n, 'more than there is');
  t.equal(user.unmap(ioas, 0x1n, 0x10000n), 'ENOENT');
  t.equal(user.unmap(ioas, 0n, U64_MAX), 0x2000n, 'everything');
  t.equal(user.unmap(ioas, 0n, U64_MAX), 0n, 'nothing is everything then');
});

t.test(
  'what comes before a mapping that reaches out of the range is unmapped although it fails',
  async (t) => {
    const user = new IommufdUser();
    const ioas = user.alloc();
    user.map(ioas, 0x1000n, PAGE);
    user.map(ioas, 0x2000n, 0x2000n);
    t.equal(user.unmap(ioas, 0x1000n, 0x2000n), 'ENOENT');
    t.match(user.ctx.ioas(ioas).ledger(), /^iova=0x2000 [^\n]*\n$/);
  },
);

t.test(
  'a copy maps the same memory, also over several mappings, but never writable what was not',
  async (t) => {
    const user = new IommufdUser();
    const [from, to] = [user.alloc(), user.alloc()];
    user.map(from, 0x30000n, 0x2000n);
    user.map(from, 0x32000n, 0x2000n, MEMORY + 0x8000n, 4);
    t.equal(user.copy([from, 0x31000n], [to, 0x50000n], 0x2000n), 'EPERM');
    t.equal(user.ctx.ioas(to).ledger(), '', 'not even the writable part');
    t.equal(user.copy([from, 0x31000n], [to, 0x50000n], 0x2000n, 4), 0x50000n);
    t.equal(
      user.ctx.ioas(to).ledger(),
      `iova=0x50000 length=0x1000 vaddr=0x200001000 prot=r- pinned=0
iova=0x51000 length=0x1000 vaddr=0x200008000 prot=r- pinned=0
`,
    );
    t.equal(user.copy([from, 0x31000n], [to, 0x51000n], 0x1000n, 4), 'EEXIST');
    t.equal(user.copy([from, 0x30000n], [to, undefined], 0x1000n), 0x1000n);
    t.equal(user.copy([from, 0x30000n], [from, undefined], 0x1000n), 0x1000n, 'into the same address space');
    user.destroy(from);
    t.match(user.ctx.ioas(to).ledger(), /0x200001000/, 'the copy stays');
  },
);

t.test('the checks of a copy come in the order of the kernel', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  user.map(ioas, 0x1000n, PAGE);
  const copy = (flags: number, to: number, from: number, length: bigint, target: bigint, iova: bigint) =>
    user.ioctl(uapi.IOMMU_IOAS_COPY, struct(40, flags, to, from, length, target, iova));
  t.equal(copy(8, 99, 99, U64_MAX, 0n, 0n), 'EOPNOTSUPP');
  t.equal(copy(1, 99, 99, U64_MAX, 0n, 0n), 'EOVERFLOW');
  t.equal(copy(1, 99, 99, 0n, U64_MAX, 0n), 'EOVERFLOW');
  t.equal(copy(1, 99, 99, 0n, 0n, U64_MAX), 'EOVERFLOW');
  t.equal(copy(1, 99, 99, 0n, 0n, 0n), 'EINVAL');
  t.equal(copy(7, 99, 98, 0n, 0n, 0n), 'ENOENT', 'the source');
  t.equal(copy(7, 99, ioas, 0n, 0n, 0x1000n), 'EINVAL', 'no bytes');
  t.equal(copy(7, 99, ioas, U64_MAX - 1n, 0n, 0x1000n), 'EOVERFLOW');
  t.equal(copy(7, 99, ioas, 0x1001n, 0n, 0x1000n), 'ENOENT', 'not all of it is mapped');
  t.equal(copy(7, 99, ioas, 0x1000n, 0n, 0x1000n), 'ENOENT', 'the destination');
});

t.test('an answer that cannot be written leaves the mapping made', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  const bytes = struct(40, 7, ioas, 0, MEMORY, PAGE, 0x1000n);
  t.equal(user.ioctl(uapi.IOMMU_IOAS_MAP, user.memory.map(bytes, undefined, { prot: 1 })), 'EFAULT');
  t.equal(user.map(ioas, 0x1000n, PAGE), 'EEXIST');
});
