import t from 'tap';
import { printReply, printRequest } from '../../src/fuse/print.js';
import { parseRequest } from '../../src/fuse/request.js';
import { FuseOp } from '../../src/uapi/fuse.js';
import { encode, type Field, Twin, u32, u64 } from './twin.js';

const print = (opcode: number, ...fields: Field[]): string => {
  const body = encode(...fields);
  const size = 40 + body.length;
  const header = encode(u32(size), u32(opcode), u64(8), u64(5), u32(0), u32(0), u32(33), u32(0));
  return printRequest(parseRequest(Buffer.concat([header, body]))!);
};

t.test('a request is one line', async (t) => {
  t.equal(print(FuseOp.LOOKUP, 'create'), '#8 LOOKUP node 5 pid 33 "create"');
  t.equal(print(FuseOp.OPEN, u32(0o1001), u32(0)), '#8 OPEN node 5 pid 33 flags 01001');
  t.equal(
    print(FuseOp.WRITE, ...Twin.write(3, '1\n', 7)),
    '#8 WRITE node 5 pid 33 fh 3 2 bytes at 7: "1\\n"',
  );
  t.equal(print(FuseOp.READDIR, ...Twin.list(1, 4096)), '#8 READDIR node 5 pid 33 fh 0 4096 bytes at 1');
  t.equal(print(FuseOp.FORGET, u64(2)), '#8 FORGET node 5 pid 33 2 times');
  t.equal(print(FuseOp.STATFS), '#8 STATFS node 5 pid 33');
  t.equal(print(77), '#8 OP_77 node 5 pid 33');
});

t.test('a reply is one line', async (t) => {
  t.equal(printReply(8, 0, 104), '#8 = 104 bytes');
  t.equal(printReply(8, 19, 0), '#8 = ENODEV');
});
