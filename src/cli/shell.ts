/**
 * The shell of `mdevfs run` and `mdevfs enter` without a command: the user's own, with a prompt that says where it is.
 * @module
 */

import { quoted } from '../host/compose-skeleton.js';
import { places } from '../host/namespace-script.js';

const MARK = '(mdevfs) ';

export function shellCommand(): string[] {
  const shell = process.env.SHELL ?? '/bin/sh';
  if (shell.endsWith('/bash')) return ['sh', '-c', bash(shell)];
  return ['env', `PS1=${MARK}$ `, shell, '-i'];
}

/** bash sets its prompt in a start-up file. This one reads the user's first. */
function bash(shell: string): string {
  const file = quoted(places.bashrc);
  return `cat > ${file} <<'END'
[ -f ~/.bashrc ] && . ~/.bashrc
PS1="${MARK}$PS1"
END
exec ${quoted(shell)} --rcfile ${file} -i`;
}
