import t from 'tap';
import { IommufdUser, MEMORY, MEMORY_SIZE, outcome, U64_MAX } from './iommufd.js';

const PAGE = 0x1000n;
const READ = 1;
const WRITE = 2;

t.test('a bound device cannot be destroyed, and keeps the iommufd until it is unbound', async (t) => {
  const user = new IommufdUser();
  const { ctx } = user;
  const access = user.bind();
  const ioas = user.alloc();
  t.same([access.id, ioas], [1, 2]);
  t.equal(user.destroy(access.id), 'EBUSY');
  access.attach(ioas);
  t.equal(user.destroy(ioas), 'EBUSY');
  user.process.close(user.fd);
  t.notOk(ctx.objects.empty);
  access.unbind();
  t.ok(ctx.objects.empty);
});

t.test('a device moves to another address space, which frees the one that it had', async (t) => {
  const user = new IommufdUser();
  const [one, other] = [user.alloc(), user.alloc()];
  const access = user.bind();
  t.equal(
    outcome(() => access.attach(99)),
    'ENOENT',
  );
  t.equal(
    outcome(() => access.attach(access.id)),
    'ENOENT',
    'a device is no address space',
  );
  access.attach(one);
  access.attach(one);
  access.attach(other);
  t.equal(user.destroy(one), 0);
  t.equal(user.destroy(other), 'EBUSY');
  access.detach();
  access.detach();
  t.equal(user.destroy(other), 0);
});

t.test('attaching aligns everything to pages, and fails when something is not', async (t) => {
  const user = new IommufdUser();
  const [ioas, spare] = [user.alloc(), user.alloc()];
  const access = user.bind();
  access.attach(spare);
  for (const [iova, length, address] of [
    [0x1001n, PAGE, MEMORY],
    [0x1000n, 100n, MEMORY],
    [0x1000n, PAGE, MEMORY + 1n],
  ] as const) {
    user.map(ioas, iova, length, address);
    t.equal(
      outcome(() => access.attach(ioas)),
      'EADDRINUSE',
    );
    user.unmap(ioas, 0n, U64_MAX);
  }
  t.equal(user.destroy(spare), 'EBUSY', 'it is still attached to the old one');
  access.attach(ioas);
  t.equal(user.map(ioas, 0n, PAGE), 0n);
  t.equal(user.map(ioas, 0x10000n, 100n), 'EINVAL');
  t.equal(user.map(ioas, 0x10000n, PAGE, MEMORY + 1n), 'EINVAL');
  t.equal(user.map(ioas, 0x10001n, PAGE), 'EINVAL');
  t.equal(user.map(ioas, undefined, PAGE, MEMORY + 1n), 'EINVAL');
  t.equal(user.map(ioas, undefined, PAGE), 0x1000n);
  access.detach();
  t.equal(user.map(ioas, 0x10001n, 100n), 0x10001n, 'nobody needs it any more');
});

t.test('DMA copies through the mappings, also from one to the next', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  const access = user.bind();
  t.equal(
    outcome(() => access.dmaRead(0x1000n, 1)),
    'ENOENT',
    'not attached',
  );
  access.attach(ioas);
  user.map(ioas, 0x1000n, PAGE, MEMORY);
  user.map(ioas, 0x2000n, PAGE, MEMORY + 0x8000n);
  access.dmaWrite(0x1ffcn, Buffer.from('abcdefgh'));
  t.equal(user.memory.read(MEMORY + 0xffcn, 4).toString(), 'abcd');
  t.equal(user.memory.read(MEMORY + 0x8000n, 4).toString(), 'efgh');
  t.equal(access.dmaRead(0x1ffcn, 8).toString(), 'abcdefgh');
  t.equal(
    outcome(() => access.dmaRead(0x2fffn, 2)),
    'ENOENT',
    'the second byte is not mapped',
  );
  t.equal(
    outcome(() => access.dmaRead(0x1000n, 0)),
    'EINVAL',
  );
  t.equal(
    outcome(() => access.dmaRead(U64_MAX, 2)),
    'EOVERFLOW',
  );
  t.equal(
    outcome(() => access.dmaWrite(0x2ffen, Buffer.from('xyz'))),
    'ENOENT',
  );
  t.equal(user.memory.read(MEMORY + 0x8ffen, 2).toString(), 'xy', 'as far as it comes');
});

t.test('DMA needs what the mapping grants, and memory that is there', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  const access = user.bind();
  access.attach(ioas);
  user.map(ioas, 0x1000n, PAGE, MEMORY, 4);
  user.map(ioas, 0x3000n, PAGE, MEMORY, 2);
  user.map(ioas, 0x5000n, PAGE, MEMORY - PAGE);
  const byte = Buffer.alloc(1);
  t.equal(
    outcome(() => access.dmaWrite(0x1000n, byte)),
    'EPERM',
  );
  t.equal(
    outcome(() => access.dmaRead(0x3000n, 1)),
    'EPERM',
  );
  t.equal(
    outcome(() => access.dmaRead(0x5000n, 1)),
    'EFAULT',
  );
  t.equal(
    outcome(() => access.pinPages(0x1000n, 1, WRITE)),
    'EPERM',
  );
  t.equal(
    outcome(() => access.pinPages(0x3000n, 1, READ)),
    'EPERM',
  );
  t.equal(
    outcome(() => access.pinPages(0x5000n, 1, READ)),
    'EFAULT',
  );
  t.equal(access.pinPages(0x3000n, 1, READ | WRITE).length, 1, 'only write access is asked for then');
});

t.test('pages are pinned all or none, counted once, and unpinned by the same bounds', async (t) => {
  const user = new IommufdUser();
  const { memory } = user;
  const ioas = user.alloc();
  const access = user.bind(() => {});
  t.equal(
    outcome(() => access.pinPages(0x1000n, 1, READ)),
    'ENOENT',
    'not attached',
  );
  access.attach(ioas);
  user.map(ioas, 0x1000n, 0x4000n);
  user.map(ioas, 0x5000n, PAGE, MEMORY + 0x10000n, 4);
  t.equal(
    outcome(() => access.pinPages(0x1000n, 0, READ)),
    'EINVAL',
  );
  t.equal(
    outcome(() => access.pinPages(U64_MAX, 2, READ)),
    'EOVERFLOW',
  );
  t.equal(
    outcome(() => access.pinPages(0x4000n, 3, READ)),
    'ENOENT',
    'the third is not mapped',
  );
  t.equal(
    outcome(() => access.pinPages(0x4000n, 2, WRITE)),
    'EPERM',
    'the second is read-only',
  );
  t.equal(memory.locked, 0);
  const pages = access.pinPages(0x2abcn, 3, READ);
  t.equal(memory.locked, 3);
  memory.write(MEMORY + 0x2000n, Buffer.from('page'));
  t.equal(pages[1]!.read(0, 4).toString(), 'page', 'an IOVA counts from the beginning of its page');
  access.pinPages(0x3000n, 1, READ);
  t.equal(memory.locked, 3, 'that one is held already');
  t.match(user.ctx.ioas(ioas).ledger(), /iova=0x1000 [^\n]*pinned=3\n/);
  access.unpinPages(0x2000n, 1);
  t.equal(memory.locked, 3, 'nothing was pinned by these bounds');
  access.unpinPages(0x2000n, 3);
  t.equal(memory.locked, 1);
  access.unpinPages(0x3000n, 1);
  t.equal(memory.locked, 0);
});

t.test('locked memory has a limit', async (t) => {
  const user = new IommufdUser(2);
  const ioas = user.alloc();
  const access = user.bind(() => {});
  access.attach(ioas);
  user.map(ioas, 0x1000n, 0x4000n);
  t.equal(
    outcome(() => access.pinPages(0x1000n, 3, READ)),
    'ENOMEM',
  );
  t.equal(access.pinPages(0x1000n, 2, READ).length, 2);
  t.equal(access.pinPages(0x2000n, 1, READ).length, 1, 'no further page');
  t.equal(
    outcome(() => access.pinPages(0x3000n, 1, READ)),
    'ENOMEM',
  );
  access.unpinPages(0x1000n, 2);
  t.equal(user.memory.locked, 1, 'the second is held by its own pin');
  access.unpinPages(0x2000n, 1);
});

t.test('the device is told before what it holds is unmapped', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  const told: [bigint, bigint][] = [];
  const access = user.bind((iova, length) => {
    told.push([iova, length]);
    t.equal(
      outcome(() => access.pinPages(0x2000n, 1, READ)),
      'EINVAL',
      'too late for another pin',
    );
    t.equal(
      outcome(() => access.dmaRead(0x2000n, 1)),
      'EINVAL',
    );
    access.unpinPages(0x2000n, 1);
  });
  access.attach(ioas);
  user.map(ioas, 0x1000n, 0x4000n);
  user.map(ioas, 0x8000n, PAGE);
  access.pinPages(0x2000n, 1, READ);
  t.equal(user.unmap(ioas, 0x8000n, PAGE), PAGE);
  t.same(told, [], 'it holds nothing there');
  t.equal(user.unmap(ioas, 0n, 0x10000n), 0x4000n);
  t.same(told, [[0x1000n, 0x4000n]], 'all of the mapping');
  t.equal(user.memory.locked, 0);
});

t.test('a device that does not let go makes unmapping fail with EDEADLK', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  let told = 0;
  const access = user.bind(() => told++);
  access.attach(ioas);
  user.map(ioas, 0x1000n, PAGE);
  user.map(ioas, 0x2000n, PAGE);
  access.pinPages(0x2000n, 1, READ);
  t.equal(user.unmap(ioas, 0x1000n, 0x2000n), 'EDEADLK');
  t.equal(told, 101);
  t.match(user.ctx.ioas(ioas).ledger(), /^iova=0x2000 [^\n]*pinned=1\n$/, 'the first is unmapped');
  access.unpinPages(0x2000n, 1);
  t.equal(
    outcome(() => access.pinPages(0x2000n, 1, READ)),
    'EINVAL',
    'it can only be unmapped now',
  );
  t.equal(user.unmap(ioas, 0x2000n, PAGE), PAGE);
});

t.test('a device that is detached lets go of everything first, and can pin nothing meanwhile', async (t) => {
  const user = new IommufdUser();
  const [ioas, other] = [user.alloc(), user.alloc()];
  const told: [bigint, bigint][] = [];
  const access = user.bind((iova, length) => {
    told.push([iova, length]);
    t.equal(
      outcome(() => access.pinPages(0x1000n, 1, READ)),
      'ENOENT',
    );
    t.equal(
      outcome(() => access.attach(ioas)),
      'EBUSY',
    );
    access.unpinPages(0x1000n, 1);
  });
  access.attach(ioas);
  user.map(ioas, 0x1000n, PAGE);
  access.pinPages(0x1000n, 1, READ);
  access.attach(other);
  t.same(told, [[0n, U64_MAX]]);
  t.equal(user.memory.locked, 0);
  access.attach(ioas);
  access.pinPages(0x1000n, 1, READ);
  access.unbind();
  t.equal(user.memory.locked, 0);
});

t.test('a copy shares the pages: they are locked once, and held as long as one holds them', async (t) => {
  const user = new IommufdUser();
  const [one, other] = [user.alloc(), user.alloc()];
  const [first, second] = [user.bind(() => {}), user.bind(() => {})];
  first.attach(one);
  second.attach(other);
  user.map(one, 0x1000n, PAGE);
  user.copy([one, 0x1000n], [other, 0x9000n], PAGE);
  first.pinPages(0x1000n, 1, READ);
  second.pinPages(0x9000n, 1, READ);
  t.equal(user.memory.locked, 1);
  first.unpinPages(0x1000n, 1);
  t.equal(user.unmap(one, 0x1000n, PAGE), PAGE);
  t.equal(user.memory.locked, 1);
  second.unpinPages(0x9000n, 1);
  t.equal(user.memory.locked, 0);
});

t.test('nothing stays locked for a driver that never lets go', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  const access = user.bind(() => {});
  access.attach(ioas);
  user.map(ioas, 0x1000n, PAGE);
  access.pinPages(0x1000n, 1, READ);
  access.unbind();
  user.process.close(user.fd);
  t.equal(user.memory.locked, 0);
});

t.test('a pinned page stays when the process unmaps it; DMA to it faults', async (t) => {
  const user = new IommufdUser();
  const ioas = user.alloc();
  const access = user.bind(() => {});
  access.attach(ioas);
  user.map(ioas, 0n, BigInt(MEMORY_SIZE));
  const [page] = access.pinPages(0n, 1, WRITE);
  user.memory.unmap(MEMORY);
  page!.write(0, Buffer.from('held'));
  t.equal(page!.read(0, 4).toString(), 'held');
  t.equal(
    outcome(() => access.dmaRead(0n, 1)),
    'EFAULT',
  );
});
