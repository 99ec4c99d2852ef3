import t from 'tap';
import { Restarts } from '../../../src/host/stub/restart.js';
import { KernelError } from '../../../src/lib/errno.js';

const insisted = () => {
  throw new KernelError(14);
};

t.test('a call that has to wait is made once more, and finds what it waited for', async (t) => {
  const restarts = new Restarts();
  const steps: string[] = [];
  const result = restarts.run(1, () => {
    steps.push('begins');
    const one = restarts.wait('one', () => Promise.resolve(1), insisted);
    const two = restarts.wait('two', () => 2, insisted);
    const again = restarts.wait('one', () => Promise.resolve(10), insisted);
    steps.push('ends');
    return one + two + again;
  });
  t.equal(await result, 13, 'the second time that something is asked for is another time');
  t.same(steps, ['begins', 'begins', 'begins', 'ends']);
});

t.test('what fails later fails in the call', async (t) => {
  const restarts = new Restarts();
  const errors: unknown[] = [];
  const result = restarts.run(1, () => {
    try {
      return restarts.wait('it', () => Promise.reject(new KernelError(5)), insisted);
    } catch (error) {
      if (error instanceof KernelError) errors.push(error.errno);
      throw error;
    }
  });
  await t.rejects(Promise.resolve(result), { code: 'EIO' });
  t.same(errors, [5]);
});

t.test('outside of a call, and after what cannot be done again, nobody waits', async (t) => {
  const restarts = new Restarts();
  const later = () => Promise.resolve(1);
  t.equal(
    restarts.wait('it', later, () => 2),
    2,
  );
  const result = restarts.run(1, () => {
    restarts.commit();
    return restarts.wait('it', later, () => 3);
  });
  t.equal(result, 3);
  t.equal(restarts.thread, undefined);
});

t.test('a call whose memory goes away as often as it comes ends', async (t) => {
  const restarts = new Restarts();
  let times = 0;
  const result = restarts.run(1, () => {
    restarts.wait(`page ${times++}`, () => Promise.resolve(), insisted);
    return times;
  });
  await t.rejects(Promise.resolve(result), { code: 'EFAULT' });
  t.ok(times > 100);
});
