import t from 'tap';
import { guidParse } from '../../src/lib/guid.js';

const uuid = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';

t.test('a UUID of either case becomes lower case', async (t) => {
  t.equal(guidParse(uuid), uuid);
  t.equal(guidParse(uuid.toUpperCase()), uuid);
  t.equal(guidParse('00000000-0000-0000-0000-000000000000'), '00000000-0000-0000-0000-000000000000');
});

t.test('what follows is not looked at, what is no UUID is EINVAL', async (t) => {
  t.equal(guidParse(`${uuid}x`), uuid);
  for (const text of [
    `{${uuid}}`,
    ` ${uuid}`,
    uuid.replaceAll('-', ''),
    uuid.slice(1),
    `urn:uuid:${uuid}`,
    '',
  ]) {
    t.throws(() => guidParse(text), { code: 'EINVAL' }, text);
  }
});
