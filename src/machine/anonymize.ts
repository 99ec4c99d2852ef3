/**
 * A tree without what tells one machine from others of its kind. Everything that is replaced is replaced everywhere, in
 * names, link targets and contents, and the same by the same, so that what belongs together still does. Replacements are
 * numbered in the order of the tree's paths: the same tree gives the same result.
 *
 * | what | becomes |
 * |---|---|
 * | MAC addresses, but for those of all zeros or ones | `02:00:00:00:00:01`, ... |
 * | UUIDs, but for those of all zeros or ones | `00000000-0000-4000-8000-000000000001`, ... |
 * | PCI domains but 0000 | `0001`, ... |
 * | the names of the host that are given | `host` |
 * | serial numbers, by the names of their files | the same number of characters: zeros, and a number at the end |
 * | the serial number in PCI Express configuration space | a number |
 * | vital product data (`vpd`) | nothing |
 *
 * What else a vendor driver may show is not known to it, nor what is in binary files but for these.
 * @module
 */

import { baseOf, newDir, Tree, type TreeDir, type TreeFile, type TreeNode } from './tree.js';

const MAC = /(?<![0-9a-f:-])[0-9a-f]{2}(?::[0-9a-f]{2}){5}(?![0-9a-f:-])/gi;
const UUID = /(?<![0-9a-f-])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f-])/gi;
/** The name of a function or of a host bridge. */
const PCI_NAME = /^(?:pci([0-9a-f]{4,8}):[0-9a-f]{2}|([0-9a-f]{4,8}):[0-9a-f]{2}:[01][0-9a-f]\.[0-7])$/;
/** Files whose whole text is a serial number. */
const SERIAL = /(^|_)(serial|serial_number|serialnumber|asset_tag|wwid|wwn|unique_id|eui|nguid|uid)$/i;
const SERIAL_FILE = /^(eui64|unique_number|board_id)$/i;
/** What firmware says where it has none. */
const NO_SERIAL = /^(not |to be |none|default|unknown|n\/a|system serial|123456)/i;

const EXTENDED = 0x100;
const CAP_ID_DSN = 0x0003;

/** Gives every text that is new the next number. */
class Numbers {
  readonly #numbers = new Map<string, number>();

  of(text: string): number {
    const key = text.toLowerCase();
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#numbers.size + 1;
      this.#numbers.set(key, number);
    }
    return number;
  }
}

const isUniform = (text: string) => /^(0*|f*)$/i.test(text.replace(/[:-]/g, ''));

class Anonymizer {
  readonly #macs = new Numbers();
  readonly #uuids = new Numbers();
  readonly #domains = new Map<string, string>();
  #domain: RegExp | undefined;
  readonly #serials = new Numbers();
  readonly #hosts: RegExp | undefined;
  /** Serial numbers that were replaced, which may stand elsewhere too. */
  readonly #known = new Map<string, string>();

  constructor(hosts: readonly string[]) {
    const names = hosts.filter((name) => name.length > 2 && name !== 'localhost');
    // The longest first, which may begin with another.
    const quoted = names.sort((a, b) => b.length - a.length).map((name) => name.replace(/[^\w]/g, '\\$&'));
    this.#hosts =
      quoted.length > 0 ? new RegExp(`(?<![\\w.-])(${quoted.join('|')})(?![\\w-])`, 'gi') : undefined;
  }

  /** A name, a link or a text. */
  text(text: string): string {
    let result = text
      .replace(UUID, (uuid) => (isUniform(uuid) ? uuid : this.#uuid(uuid)))
      .replace(MAC, (mac) => (isUniform(mac) ? mac : this.#mac(mac)));
    if (this.#domain) result = result.replace(this.#domain, (domain) => this.#domains.get(domain)!);
    if (this.#hosts) result = result.replace(this.#hosts, 'host');
    for (const [serial, replacement] of this.#known) result = result.replaceAll(serial, replacement);
    return result;
  }

  #uuid(uuid: string): string {
    return `00000000-0000-4000-8000-${this.#uuids.of(uuid).toString(16).padStart(12, '0')}`;
  }

  #mac(mac: string): string {
    const digits = this.#macs.of(mac).toString(16).padStart(10, '0');
    return `02:${digits.match(/../g)!.join(':')}`;
  }

  /** Learns of a domain from the name of what is in it. Before a colon and a bus it is one elsewhere too. */
  learnDomain(name: string): void {
    const [, ofBridge, ofFunction] = PCI_NAME.exec(name) ?? [];
    const domain = ofBridge ?? ofFunction;
    if (domain === undefined || /^0+$/.test(domain) || this.#domains.has(domain)) return;
    this.#domains.set(domain, (this.#domains.size + 1).toString(16).padStart(domain.length, '0'));
    const known = [...this.#domains.keys()].join('|');
    this.#domain = new RegExp(`(?<![0-9a-f:])(?:${known})(?=:[0-9a-f]{2}(?![0-9a-f]))`, 'g');
  }

  /** Learns what a file of a serial number says. */
  learn(name: string, { content, error }: TreeFile): void {
    if (error !== undefined || !content || !(SERIAL.test(name) || SERIAL_FILE.test(name))) return;
    const serial = Buffer.from(content).toString('latin1').trim();
    // What is too short to be one would be replaced in other texts too.
    if (!/[0-9a-z]/i.test(serial) || serial.length < 4 || isUniform(serial) || NO_SERIAL.test(serial)) return;
    if (this.#known.has(serial)) return;
    this.#known.set(serial, String(this.#serials.of(serial)).padStart(serial.length, '0'));
  }

  file(name: string, file: TreeFile): TreeFile {
    if (!file.content) return file;
    const bytes = Buffer.from(file.content);
    if (name === 'vpd') return { ...file, content: Buffer.alloc(0) };
    if (name === 'config') return { ...file, content: this.#config(bytes) };
    if (bytes.includes(0)) return file;
    const content = Buffer.from(this.text(bytes.toString('latin1')), 'latin1');
    // Where the size is that of the content, it stays so.
    return { ...file, content, size: file.size === bytes.length ? content.length : file.size };
  }

  /** Replaces the serial number of a PCI Express function, in its capability. */
  #config(bytes: Buffer): Buffer {
    const seen = new Set<number>();
    for (let at = EXTENDED; at >= EXTENDED && at + 12 <= bytes.length && !seen.has(at); ) {
      seen.add(at);
      const header = bytes.readUInt32LE(at);
      const serial = bytes.toString('hex', at + 4, at + 12);
      if ((header & 0xffff) === CAP_ID_DSN && !isUniform(serial)) {
        bytes.writeBigUInt64LE(BigInt(this.#serials.of(serial)), at + 4);
      }
      at = (header >>> 20) & 0xffc;
    }
    return bytes;
  }

  dir(dir: TreeDir): TreeDir {
    const result = newDir(dir.mode, dir.partial);
    for (const [name, node] of sorted(dir)) result.entries.set(this.text(name), this.#node(name, node));
    return result;
  }

  #node(name: string, node: TreeNode): TreeNode {
    if (node.kind === 'dir') return this.dir(node);
    return node.kind === 'link' ? { kind: 'link', text: this.text(node.text) } : this.file(name, node);
  }
}

const sorted = (dir: TreeDir) => [...dir.entries].sort(([a], [b]) => (a < b ? -1 : 1));

/** @param hosts names of the machine that the tree is from */
export function anonymize(tree: Tree, hosts: readonly string[] = []): Tree {
  const anonymizer = new Anonymizer(hosts);
  for (const [path, node] of tree.walk()) {
    if (node.kind === 'file') anonymizer.learn(baseOf(path), node);
    else anonymizer.learnDomain(baseOf(path));
  }
  return new Tree(anonymizer.dir(tree.root));
}
