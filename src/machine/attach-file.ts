/**
 * `kernel/debug/mdevfs/attach`: writing `UUID [vm=NAME] [memory=SIZE] [iommufd]` attaches a VM to a mediated device, and
 * closing the descriptor ends the VM. So a device is held by whoever holds the file open:
 *
 *     exec 3>attach; echo $UUID vm=demo >&3; ...; exec 3>&-
 *
 * Reading lists the VMs that are attached by now.
 * @module
 */

import { debugfsCreateFile } from '../base/debugfs.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { after } from '../lib/sleep.js';
import { Attachment, parseAttachment } from './attachment.js';
import { readLine } from './control-line.js';
import type { Machine } from './machine.js';

export function addAttachFile(dir: KernfsDir, machine: Machine): void {
  const attachments = new Set<Attachment>();
  const show = (): string =>
    [...attachments]
      .map(({ options: { uuid, vm, memory, iommufd } }) =>
        [uuid, `vm=${vm}`, `memory=${memory}`, ...(iommufd ? ['iommufd'] : [])].join(' '),
      )
      .map((line) => `${line}\n`)
      .join('');
  debugfsCreateFile(dir, 'attach', {
    mode: 0o600,
    show,
    store: () => {},
    open() {
      const own: Attachment[] = [];
      let closed = false;
      return {
        show,
        store(text) {
          const options = readLine(machine.core.log, 'attach', () => parseAttachment(text));
          return after(Attachment.start(machine, options), (attachment) => {
            if (closed) return attachment.end();
            attachments.add(attachment);
            own.push(attachment);
          });
        },
        release() {
          closed = true;
          for (const attachment of own) {
            attachments.delete(attachment);
            attachment.end();
          }
        },
      };
    },
  });
}
