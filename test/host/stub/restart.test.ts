import t from 'tap';
import { type Awaited, Restarts } from '../../../src/host/stub/restart.js';
import { KernelError } from '../../../src/lib/errno.js';
import type { Sleeps } from '../../../src/lib/sleep.js';

const from = <T>(begin: () => Sleeps<T>): Awaited<T> => ({
  begin,
  insist: () => {
    throw new KernelError(14);
  },
});

t.test('a call that has to wait is made once more, and finds what it waited for', async (t) => {
  const restarts = new Restarts();
  const steps: string[] = [];
  const result = restarts.run(1, 'access', () => {
    steps.push('begins');
    const one = restarts.wait(
      () => 'one',
      from(() => Promise.resolve(1)),
    );
    const two = restarts.wait(
      () => 'two',
      from(() => 2),
    );
    const again = restarts.wait(
      () => 'one',
      from(() => Promise.resolve(10)),
    );
    steps.push('ends');
    return one + two + again;
  });
  t.equal(await result, 13, 'the second time that something is asked for is another time');
  t.same(steps, ['begins', 'begins', 'begins', 'ends']);
});

t.test('what fails later fails in the call', async (t) => {
  const restarts = new Restarts();
  const errors: unknown[] = [];
  const result = restarts.run(1, 'access', () => {
    try {
      return restarts.wait(
        () => 'it',
        from(() => Promise.reject(new KernelError(5))),
      );
    } catch (error) {
      if (error instanceof KernelError) errors.push(error.errno);
      throw error;
    }
  });
  await t.rejects(Promise.resolve(result), { code: 'EIO' });
  t.same(errors, [5]);
});

t.test('an access that waits for a write reads the same again; a request waits for none', async (t) => {
  const restarts = new Restarts();
  let memory = 'old';
  const write = (): Sleeps<void> => {
    memory = 'new';
    return Promise.resolve();
  };
  const body = () => {
    let text = '';
    text = restarts.wait(() => 'read', { ...from(() => memory), copy: () => text });
    restarts.writes();
    restarts.wait(() => 'write', from(write));
    return text;
  };
  t.equal(await restarts.run(1, 'access', body), 'old');
  memory = 'old';
  t.throws(() => restarts.run(1, 'request', body), { code: 'EFAULT' });
});

t.test('outside of a call, and after what cannot be done again, nobody waits', async (t) => {
  const restarts = new Restarts();
  const later = () => Promise.resolve(1);
  t.equal(
    restarts.wait(() => 'it', { begin: later, insist: () => 2 }),
    2,
  );
  const result = restarts.run(1, 'access', () => {
    restarts.commit();
    return restarts.wait(() => 'it', { begin: later, insist: () => 3 });
  });
  t.equal(result, 3);
  t.equal(restarts.thread, undefined);
});

t.test('a call whose memory goes away as often as it comes ends', async (t) => {
  const restarts = new Restarts();
  let times = 0;
  const result = restarts.run(1, 'access', () => {
    const page = times++;
    restarts.wait(
      () => `page ${page}`,
      from(() => Promise.resolve()),
    );
    return times;
  });
  await t.rejects(Promise.resolve(result), { code: 'EFAULT' });
  t.ok(times > 100);
});
