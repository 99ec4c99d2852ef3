/**
 * Netlink as uevents use it (include/uapi/linux/netlink.h): the address of a socket, the header of a message, and
 * the kernel's answer to one. Numbers are those of a little-endian machine.
 * @module
 */

export const AF_NETLINK = 16;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const NETLINK_KOBJECT_UEVENT = 15;

/** Multicast groups of NETLINK_KOBJECT_UEVENT, as masks: what the kernel says, and what udev says of it. */
export const UeventGroup = { KERNEL: 1, UDEV: 2 } as const;

/** Smaller numbers are messages about netlink itself. */
export const NLMSG_MIN_TYPE = 16;
export const NLMSG_ERROR = 2;
export const NLM_F_REQUEST = 1;
export const NLM_F_ACK = 4;

/** struct nlmsghdr: length, type, flags, sequence number, port. */
export const NLMSG_HDRLEN = 16;

/** struct sockaddr_nl: family, padding, port, groups. */
export const SOCKADDR_NL_SIZE = 12;

/** What the kernel lets one uevent fill: its header, its variables, and the SEQNUM that the kernel appends. */
export const UEVENT_BUFFER_SIZE = 2048;

/** @param groups mask of multicast groups; 0 with port 0 is the kernel itself */
export function encodeSockaddrNl(groups = 0, port = 0): Buffer {
  const address = Buffer.alloc(SOCKADDR_NL_SIZE);
  address.writeUInt16LE(AF_NETLINK, 0);
  address.writeUInt32LE(port, 4);
  address.writeUInt32LE(groups, 8);
  return address;
}

export function decodeSockaddrNl(address: Buffer): { port: number; groups: number } {
  return { port: address.readUInt32LE(4), groups: address.readUInt32LE(8) };
}

/** A payload with a header in front. */
export function nlmsg(payload: Uint8Array, flags: number = NLM_F_REQUEST, type = NLMSG_MIN_TYPE): Buffer {
  const message = Buffer.alloc(NLMSG_HDRLEN + payload.length);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(type, 4);
  message.writeUInt16LE(flags, 6);
  message.set(payload, NLMSG_HDRLEN);
  return message;
}

/** The errno that the kernel answers a message with, 0 when it took it; undefined when this is no such answer. */
export function decodeNlmsgerr(message: Buffer): number | undefined {
  if (message.length < NLMSG_HDRLEN + 4 || message.readUInt16LE(4) !== NLMSG_ERROR) return undefined;
  return -message.readInt32LE(NLMSG_HDRLEN);
}

/**
 * A uevent for the kernel to spread: the header line and the variables, each ended by a NUL. SEQNUM is left out,
 * for the kernel appends its own.
 * @param env `KEY=value`, in the order of the message
 */
export function encodeUevent(action: string, devpath: string, env: readonly string[]): Buffer {
  const variables = env.filter((variable) => !variable.startsWith('SEQNUM='));
  return nlmsg(Buffer.from([`${action}@${devpath}`, ...variables, ''].join('\0'), 'latin1'));
}

/** Whether the kernel would take the message with a number of 20 digits, the longest there is. */
export function ueventFits(message: Buffer): boolean {
  return message.length + 'SEQNUM='.length + 21 <= UEVENT_BUFFER_SIZE;
}

export interface UeventText {
  /** ACTION@DEVPATH. */
  header: string;
  env: string[];
}

/** Takes apart what the kernel group receives; undefined when it is none of it. */
export function decodeUevent(message: Buffer): UeventText | undefined {
  const [header, ...env] = message.toString('latin1').split('\0');
  if (!header?.includes('@') || env.pop() !== '') return undefined;
  return { header, env };
}
