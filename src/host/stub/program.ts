/**
 * The program of a stub (stub.ts): it makes one system call after another, each as the memory that it shares with the
 * daemon says, and has nothing else of a program. A helper in a language would take tens of megabytes and a tenth of a
 * second to start, and stubs that a client makes wait for ever are killed and replaced; this one takes a page.
 *
 * Descriptors: 0 is a pipe, of which a byte asks for a call and the end ends the program; on 1 a byte says that the call
 * has returned; 3 is the shared memory.
 * @module
 */

/** Where a stub has the shared memory, whatever else it has. */
export const SHARED_ADDRESS = 0x1000_0000;
export const SHARED_SIZE = 0x10_1000;

/** The beginning of that memory: number of the system call, six arguments, what it returned. 64 bits each. */
export const CALL_RESULT = 56;
/** Where the bytes of descriptors 0 and 1 pass through is 64; from here on it is the daemon's. */
export const CALL_MEMORY = 128;
/** What is copied begins here. */
export const CALL_DATA = 4096;

/** Instructions in hexadecimal, each with what it says. */
type Listing = readonly (readonly [code: string, assembly: string])[];

const x64: Listing = [
  ['b809000000', 'mov  $9, %eax             # mmap of descriptor 3, shared and fixed'],
  ['bf00000010', 'mov  $0x10000000, %edi'],
  ['be00101000', 'mov  $0x101000, %esi'],
  ['ba03000000', 'mov  $3, %edx'],
  ['41ba11000000', 'mov  $0x11, %r10d'],
  ['41b803000000', 'mov  $3, %r8d'],
  ['4531c9', 'xor  %r9d, %r9d'],
  ['0f05', 'syscall'],
  ['bb00000010', 'mov  $0x10000000, %ebx'],
  ['31c0', 'next: xor %eax, %eax        # read'],
  ['31ff', 'xor  %edi, %edi'],
  ['488d7340', 'lea  64(%rbx), %rsi'],
  ['ba01000000', 'mov  $1, %edx'],
  ['0f05', 'syscall'],
  ['4883f801', 'cmp  $1, %rax'],
  ['7538', 'jne  end'],
  ['488b03', 'mov  (%rbx), %rax         # the call'],
  ['488b7b08', 'mov  8(%rbx), %rdi'],
  ['488b7310', 'mov  16(%rbx), %rsi'],
  ['488b5318', 'mov  24(%rbx), %rdx'],
  ['4c8b5320', 'mov  32(%rbx), %r10'],
  ['4c8b4328', 'mov  40(%rbx), %r8'],
  ['4c8b4b30', 'mov  48(%rbx), %r9'],
  ['0f05', 'syscall'],
  ['48894338', 'mov  %rax, 56(%rbx)'],
  ['b801000000', 'mov  $1, %eax             # write'],
  ['bf01000000', 'mov  $1, %edi'],
  ['488d7340', 'lea  64(%rbx), %rsi'],
  ['ba01000000', 'mov  $1, %edx'],
  ['0f05', 'syscall'],
  ['ebb3', 'jmp  next'],
  ['b8e7000000', 'end: mov $231, %eax         # exit_group'],
  ['31ff', 'xor  %edi, %edi'],
  ['0f05', 'syscall'],
];

const arm64: Listing = [
  ['0000a2d2', 'mov  x0, #0x10000000      // mmap of descriptor 3, shared and fixed'],
  ['010082d2', 'mov  x1, #0x1000'],
  ['0102a0f2', 'movk x1, #0x10, lsl #16'],
  ['620080d2', 'mov  x2, #3'],
  ['230280d2', 'mov  x3, #0x11'],
  ['640080d2', 'mov  x4, #3'],
  ['050080d2', 'mov  x5, #0'],
  ['c81b80d2', 'mov  x8, #222'],
  ['010000d4', 'svc  #0'],
  ['1300a2d2', 'mov  x19, #0x10000000'],
  ['000080d2', 'next: mov x0, #0            // read'],
  ['61020191', 'add  x1, x19, #64'],
  ['220080d2', 'mov  x2, #1'],
  ['e80780d2', 'mov  x8, #63'],
  ['010000d4', 'svc  #0'],
  ['1f0400f1', 'cmp  x0, #1'],
  ['a1010054', 'b.ne end'],
  ['680240a9', 'ldp  x8, x0, [x19]        // the call'],
  ['610a41a9', 'ldp  x1, x2, [x19, #16]'],
  ['631242a9', 'ldp  x3, x4, [x19, #32]'],
  ['651a40f9', 'ldr  x5, [x19, #48]'],
  ['010000d4', 'svc  #0'],
  ['601e00f9', 'str  x0, [x19, #56]'],
  ['200080d2', 'mov  x0, #1               // write'],
  ['61020191', 'add  x1, x19, #64'],
  ['220080d2', 'mov  x2, #1'],
  ['080880d2', 'mov  x8, #64'],
  ['010000d4', 'svc  #0'],
  ['eeffff17', 'b    next'],
  ['000080d2', 'end: mov x0, #0             // exit_group'],
  ['c80b80d2', 'mov  x8, #94'],
  ['010000d4', 'svc  #0'],
];

interface Machine {
  /** EM_* of elf(5). */
  readonly number: number;
  readonly listing: Listing;
}

const machines: Readonly<Record<string, Machine>> = {
  x64: { number: 62, listing: x64 },
  arm64: { number: 183, listing: arm64 },
};

/** The instructions for an architecture, as an assembler takes them. */
export const assemblyOf = (arch: string): string =>
  machines[arch]!.listing.map(([, text]) => text).join('\n');

export const codeOf = (arch: string): Buffer =>
  Buffer.from(machines[arch]!.listing.map(([code]) => code).join(''), 'hex');

// elf(5)
const EHDR_SIZE = 64;
const PHDR_SIZE = 56;
const LOAD_ADDRESS = 0x40_0000;
const ET_EXEC = 2;
const PT_LOAD = 1;
const READ_EXECUTE = 5;

/**
 * An executable file of one segment.
 * @param arch as Node names it
 * @returns undefined for one that there is no program for
 */
export function stubProgram(arch: string): Buffer | undefined {
  const machine = machines[arch];
  if (!machine) return undefined;
  const code = codeOf(arch);
  const size = EHDR_SIZE + PHDR_SIZE + code.length;
  const header = Buffer.alloc(EHDR_SIZE + PHDR_SIZE);
  // 64 bits, little endian, version 1.
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(ET_EXEC, 16);
  header.writeUInt16LE(machine.number, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS + header.length), 24);
  header.writeBigUInt64LE(BigInt(EHDR_SIZE), 32);
  header.writeUInt16LE(EHDR_SIZE, 52);
  header.writeUInt16LE(PHDR_SIZE, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(PT_LOAD, EHDR_SIZE);
  header.writeUInt32LE(READ_EXECUTE, EHDR_SIZE + 4);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS), EHDR_SIZE + 16);
  header.writeBigUInt64LE(BigInt(LOAD_ADDRESS), EHDR_SIZE + 24);
  header.writeBigUInt64LE(BigInt(size), EHDR_SIZE + 32);
  header.writeBigUInt64LE(BigInt(size), EHDR_SIZE + 40);
  header.writeBigUInt64LE(BigInt(4096), EHDR_SIZE + 48);
  return Buffer.concat([header, code]);
}
