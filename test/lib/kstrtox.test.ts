import t from 'tap';
import { kstrtobool, kstrtoint, kstrtouint, kstrtoull, sysfsStreq } from '../../src/lib/kstrtox.js';

t.test('numbers in the base that their prefix says', async (t) => {
  for (const [text, value] of [
    ['1', 1n],
    ['1\n', 1n],
    ['+1', 1n],
    ['0x1F', 31n],
    ['010', 8n],
    ['0', 0n],
    ['1\0garbage', 1n],
    ['0xFFFFFFFFFFFFFFFF', 2n ** 64n - 1n],
  ] as const) {
    t.equal(kstrtoull(text), value, JSON.stringify(text));
  }
});

t.test('anything else is EINVAL, too large a number ERANGE', async (t) => {
  for (const text of ['', '\n', ' 1', '1 ', '-1', '1\n\n', 'x', '0x', '08', '0xg', '++1', '1x']) {
    t.throws(() => kstrtoull(text), { code: 'EINVAL' }, JSON.stringify(text));
  }
  t.throws(() => kstrtoull(String(2n ** 64n)), { code: 'ERANGE' });
  t.throws(() => kstrtouint('4294967296'), { code: 'ERANGE' });
  t.equal(kstrtouint('4294967295'), 4294967295);
});

t.test('signed numbers', async (t) => {
  t.equal(kstrtoint('-5'), -5);
  t.equal(kstrtoint('-2147483648'), -2147483648);
  t.throws(() => kstrtoint('2147483648'), { code: 'ERANGE' });
  t.throws(() => kstrtoint('-+5'), { code: 'EINVAL' });
});

t.test('booleans look at their first letters', async (t) => {
  for (const yes of ['y', 'Y', '1', 't', 'on', 'ON', 'yes']) t.equal(kstrtobool(yes), true, yes);
  for (const no of ['n', 'N', '0', 'f', 'off', 'oF']) t.equal(kstrtobool(no), false, no);
  for (const bad of ['', 'x', 'o', '2']) t.throws(() => kstrtobool(bad), { code: 'EINVAL' }, bad);
});

t.test('one newline does not make texts different', async (t) => {
  t.ok(sysfsStreq('auto\n', 'auto'));
  t.notOk(sysfsStreq('auto\n\n', 'auto'));
});
