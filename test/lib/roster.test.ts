import t from 'tap';
import {
  type Roster,
  rosterGet,
  rosterMembers,
  rosterSize,
  rosterWith,
  rosterWithout,
} from '../../src/lib/roster.js';

interface Member {
  name: string;
  n: number;
}

t.test('a roster keeps its members while it grows from one to many and shrinks', async (t) => {
  let roster: Roster<Member>;
  for (let n = 0; n < 40; n++) {
    roster = rosterWith(roster, { name: `name${n}`, n });
    t.equal(rosterSize(roster), n + 1);
    t.equal(rosterGet(roster, `name${n}`)?.n, n);
    t.equal(rosterGet(roster, 'name0')?.n, 0);
    t.equal(rosterGet(roster, 'name'), undefined);
  }
  t.strictSame(
    Array.from(rosterMembers(roster), ({ n }) => n),
    Array.from({ length: 40 }, (_, n) => n),
  );
  for (let n = 0; n < 40; n++) {
    roster = rosterWithout(roster, `name${n}`);
    t.equal(rosterGet(roster, `name${n}`), undefined);
    t.equal(rosterSize(roster), 39 - n);
  }
  t.equal(roster, undefined);
});

t.test('one member is the roster itself', async (t) => {
  const only = { name: 'only', n: 1 };
  const roster = rosterWith<Member>(undefined, only);
  t.equal(roster, only);
  t.equal(rosterWithout(roster, 'other'), only);
  t.strictSame([...rosterMembers(roster)], [only]);
  t.equal(rosterGet(rosterWith(roster, { name: 'only', n: 2 }), 'only')?.n, 2);
});
