import t from 'tap';
import * as uapi from '../../src/uapi/iommufd.js';
import { IommufdUser, MEMORY, MEMORY_SIZE, struct } from './iommufd.js';

t.test('a structure that is shorter than its oldest form is EINVAL, whatever is in it', async (t) => {
  const user = new IommufdUser();
  t.equal(user.ioctl(uapi.IOMMU_IOAS_ALLOC, struct(11, 1, 0)), 'EINVAL');
  t.equal(user.ioctl(uapi.IOMMU_DESTROY, struct(7, 999)), 'EINVAL');
  t.equal(user.ioctl(uapi.IOMMU_GET_HW_INFO, Buffer.concat([struct(31), Buffer.alloc(60)])), 'EINVAL');
});

t.test('a structure may be longer if the rest is zero, else E2BIG', async (t) => {
  const user = new IommufdUser();
  const long = struct(16, 0, 0, 0);
  t.equal(user.ioctl(uapi.IOMMU_IOAS_ALLOC, long), 0);
  t.same(long, struct(16, 0, 1, 0));
  t.equal(user.ioctl(uapi.IOMMU_IOAS_ALLOC, struct(16, 0, 0, 5)), 'E2BIG');
  t.equal(
    user.ioctl(uapi.IOMMU_IOAS_ALLOC, struct(13, 7, 0, 0x100)),
    'EOPNOTSUPP',
    'byte 13 is not part of it',
  );
  const page = Buffer.alloc(8192);
  page.writeUInt32LE(8192);
  t.equal(user.ioctl(uapi.IOMMU_IOAS_ALLOC, page), 0);
  page.writeUInt8(1, 8191);
  t.equal(user.ioctl(uapi.IOMMU_IOAS_ALLOC, page), 'E2BIG');
});

t.test('the end of a long structure is read before its beginning is looked at', async (t) => {
  const user = new IommufdUser();
  const address = MEMORY + BigInt(MEMORY_SIZE) - 24n;
  user.memory.write(address, struct(32, 1, 0, 0, 0, 0));
  t.equal(user.ioctl(uapi.IOMMU_IOAS_ALLOC, address), 'EFAULT', 'zeros, then nothing');
  user.memory.write(address, struct(32, 1, 0, 0, 0, 1));
  t.equal(user.ioctl(uapi.IOMMU_IOAS_ALLOC, address), 'E2BIG', 'something before the nothing');
  user.memory.write(address, struct(24, 1, 0, 0, 0, 0));
  t.equal(user.ioctl(uapi.IOMMU_IOAS_ALLOC, address), 'EOPNOTSUPP');
});

t.test('a short form of a structure counts as zeros from its end', async (t) => {
  const user = new IommufdUser();
  const bytes = struct(24, 0, 1, 1, 0, 0, 9, 9, 9n, 9, 9);
  t.equal(user.ioctl(uapi.IOMMU_HWPT_ALLOC, bytes), 'ENOENT', 'no data without a type of data');
  bytes.writeUInt32LE(32);
  bytes.writeUInt32LE(0, 28);
  t.equal(user.ioctl(uapi.IOMMU_HWPT_ALLOC, bytes), 'EINVAL', 'a type of data without data');
});

t.test('the size is read before the request is known: EFAULT goes before ENOTTY', async (t) => {
  const user = new IommufdUser();
  t.equal(user.ioctl(0xae80, 0), 'EFAULT', 'KVM_RUN has the lowest byte of IOMMU_DESTROY');
  t.equal(user.ioctl(0xae80, struct(0)), 'ENOTTY');
  for (const request of [0x3b8f, 0x3b90, 0x3bff, 0x5401]) t.equal(user.ioctl(request, 0), 'ENOTTY');
  t.equal(user.ioctl(uapi.IOMMU_IOAS_ALLOC, 0), 'EFAULT');
});

t.test('objects have the lowest free number from 1', async (t) => {
  const user = new IommufdUser();
  t.same([user.alloc(), user.alloc(), user.alloc()], [1, 2, 3]);
  t.equal(user.destroy(2), 0);
  t.equal(user.bind().id, 2);
  t.equal(user.alloc(), 4);
  t.equal(user.destroy(9), 'ENOENT');
  t.equal(user.destroy(0), 'ENOENT');
  t.equal(user.destroy(0xffff_ffff), 'ENOENT');
});

t.test('an answer that cannot be written makes no object', async (t) => {
  const user = new IommufdUser();
  const page = user.memory.map(struct(12, 0, 0), undefined, { prot: 1 });
  t.equal(user.ioctl(uapi.IOMMU_IOAS_ALLOC, page), 'EFAULT');
  t.equal(user.alloc(), 1);
  user.destroy(1);
  const fault = user.memory.map(struct(16, 0, 0, 0), undefined, { prot: 1 });
  t.equal(user.ioctl(uapi.IOMMU_FAULT_QUEUE_ALLOC, fault), 'EFAULT');
  t.equal(user.option(uapi.IOMMU_OPTION_RLIMIT_MODE, 0, 1n), 1n, 'there is nothing');
});

t.test('page tables of a real IOMMU are not found, after the checks that come first', async (t) => {
  const user = new IommufdUser();
  const { id } = user.bind();
  const ioas = user.alloc();
  const alloc = (reserved: number, type: number, length: number) =>
    user.ioctl(uapi.IOMMU_HWPT_ALLOC, struct(40, 0, id, ioas, 0, reserved, type, length, 0n));
  t.equal(alloc(0, 0, 0), 'ENOENT', 'a device without an IOMMU is none in this sense');
  t.equal(alloc(1, 1, 0), 'EOPNOTSUPP');
  t.equal(alloc(0, 1, 0), 'EINVAL');
  t.equal(alloc(0, 0, 1), 'EINVAL');
  const info = (flags: number, reserved: number) =>
    user.ioctl(uapi.IOMMU_GET_HW_INFO, struct(40, flags, id, 0, 0n, 0, reserved, 0n));
  t.equal(info(0, 0), 'ENOENT');
  t.equal(info(1, 0), 'EOPNOTSUPP');
  t.equal(info(0, 1), 'EOPNOTSUPP');
  t.equal(user.ioctl(uapi.IOMMU_HWPT_SET_DIRTY_TRACKING, struct(16, 1, ioas, 1)), 'ENOENT');
  t.equal(user.ioctl(uapi.IOMMU_HWPT_SET_DIRTY_TRACKING, struct(16, 2, ioas, 0)), 'EOPNOTSUPP');
  const bitmap = (flags: number, reserved: number) =>
    user.ioctl(uapi.IOMMU_HWPT_GET_DIRTY_BITMAP, struct(48, ioas, flags, reserved, 0n, 0n, 0n, 0n));
  t.equal(bitmap(1, 0), 'ENOENT');
  t.equal(bitmap(2, 0), 'EOPNOTSUPP');
  t.equal(bitmap(0, 1), 'EOPNOTSUPP');
  const invalidate = struct(32, ioas, 0n, 0, 0, 5, 0);
  t.equal(user.ioctl(uapi.IOMMU_HWPT_INVALIDATE, invalidate), 'EINVAL', 'entries without an address');
  t.equal(invalidate.readUInt32LE(uapi.HWPT_INVALIDATE_ENTRY_NUM), 0, 'none was handled');
  t.equal(user.ioctl(uapi.IOMMU_HWPT_INVALIDATE, struct(32, ioas, 0n, 0, 0, 0, 0)), 'ENOENT');
});

t.test('the limit of locked memory can be chosen while there are no objects', async (t) => {
  const user = new IommufdUser();
  t.equal(user.option(0, 0), 0n);
  t.equal(user.option(0, 0, 1n), 1n);
  t.equal(user.option(0, 0), 1n);
  t.equal(user.option(0, 0, 2n), 'EINVAL');
  t.equal(user.option(0, 1, 0n), 'EOPNOTSUPP', 'it is not of an object');
  const ioas = user.alloc();
  t.equal(user.option(0, 0, 2n), 'EBUSY');
  t.equal(user.option(0, 0), 1n);
  user.destroy(ioas);
  t.equal(user.option(0, 0, 0n), 0n);
  t.equal(user.option(2, 0), 'EOPNOTSUPP');
  t.equal(user.ioctl(uapi.IOMMU_OPTION, struct(24, 0, 2, 0, 0n)), 'EOPNOTSUPP', 'neither set nor get');
  t.equal(user.ioctl(uapi.IOMMU_OPTION, struct(24, 0, 0x10001, 0, 0n)), 'EOPNOTSUPP', 'reserved');
});

t.test(
  'large pages are an option of an address space: without them everything is aligned to pages',
  async (t) => {
    const user = new IommufdUser();
    const ioas = user.alloc();
    t.equal(user.option(1, ioas), 1n);
    t.equal(user.option(1, ioas, 2n), 'EINVAL');
    t.equal(user.option(1, 99, 2n), 'ENOENT');
    user.map(ioas, 0x1001n, 100n);
    t.equal(user.option(1, ioas, 0n), 'EADDRINUSE');
    t.equal(user.option(1, ioas), 1n);
    user.unmap(ioas, 0n, 0xffff_ffff_ffff_ffffn);
    t.equal(user.option(1, ioas, 0n), 0n);
    t.equal(user.map(ioas, 0x1001n, 100n), 'EINVAL');
    t.equal(user.option(1, ioas, 1n), 1n);
    t.equal(user.map(ioas, 0x1001n, 100n), 0x1001n);
  },
);

t.test('a fault queue is a file: it keeps the queue and the iommufd', async (t) => {
  const user = new IommufdUser();
  const { process, ctx } = user;
  t.equal(user.ioctl(uapi.IOMMU_FAULT_QUEUE_ALLOC, struct(16, 1, 0, 0)), 'EOPNOTSUPP');
  const bytes = struct(16, 0, 0, 0);
  t.equal(user.ioctl(uapi.IOMMU_FAULT_QUEUE_ALLOC, bytes), 0);
  const fd = bytes.readUInt32LE(uapi.FAULT_ALLOC_OUT_FAULT_FD);
  t.equal(bytes.readUInt32LE(uapi.FAULT_ALLOC_OUT_FAULT_ID), 1);
  t.equal(process.fdPath(fd), 'anon_inode:[iommufd-pgfault]');
  t.equal(process.poll(fd), 4, 'can be written, and there is nothing to read');
  t.equal(process.read(fd, 80).length, 0);
  t.throws(() => process.read(fd, 10), { code: 'ESPIPE' });
  t.throws(() => process.write(fd, Buffer.alloc(7)), { code: 'ESPIPE' });
  t.throws(() => process.write(fd, Buffer.alloc(8)), { code: 'EINVAL' });
  t.equal(user.destroy(1), 'EBUSY');
  process.close(user.fd);
  t.notOk(ctx.objects.empty);
  process.close(fd);
  t.ok(ctx.objects.empty);
});

t.test('an open iommufd keeps its module', async (t) => {
  const user = new IommufdUser();
  const refcnt = () => {
    const fd = user.process.open('/sys/module/iommufd/refcnt', 0);
    return Buffer.from(user.process.read(fd, 10)).toString();
  };
  t.equal(refcnt(), '1\n');
  const dup = user.process.dup(user.fd);
  user.process.close(user.fd);
  t.equal(refcnt(), '1\n');
  user.process.close(dup);
  t.equal(refcnt(), '0\n');
});
