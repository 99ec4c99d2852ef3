/**
 * `mdevfs completion`: the script by which a shell completes command lines of this program. It asks `mdevfs complete` for
 * everything, so it stays as it is while subcommands, fixtures and trees come and go.
 * @module
 */

import { quoted } from '../host/compose-skeleton.js';

export type ShellName = 'bash' | 'zsh' | 'fish';

/** @returns the exit code */
export function completion(shell: ShellName): number {
  // `mdevfs` may be no program in PATH but an alias, or a function.
  const words = [process.execPath, ...process.execArgv, process.argv[1]!, 'complete', '--'];
  process.stdout.write(scripts[shell](words.map(quoted).join(' ')));
  return 0;
}

/** By shell: the script, with the command that prints what there is to offer for the words that follow it. */
const scripts: Readonly<Record<ShellName, (ask: string) => string>> = {
  // readline parts words at = and : as well, and wants back what comes after the last of them.
  bash: (ask) => `# mdevfs completion bash; in ~/.bashrc: source <(mdevfs completion bash)
_mdevfs() {
  local line=\${COMP_LINE:0:COMP_POINT} word head i
  local -a words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $i -gt 0 && $line != [[:blank:]]* ]]; then
      words[-1]+=$word
    else
      line=\${line#"\${line%%[![:blank:]]*}"}
      [[ $line == "$word"* ]] || word=$line
      words+=("$word")
    fi
    line=\${line#"$word"}
  done
  head=
  [[ \${words[-1]} == "$word" ]] || head=\${words[-1]%"$word"}
  case $word in = | :) head=\${words[-1]} ;; esac
  mapfile -t COMPREPLY < <(${ask} "\${words[@]:1}" 2> /dev/null)
  COMPREPLY=("\${COMPREPLY[@]%%$'\\t'*}")
  COMPREPLY=("\${COMPREPLY[@]#"$head"}")
  for word in "\${COMPREPLY[@]}"; do
    case $word in *[=/]) compopt -o nospace ;; esac
    case $word in */*) compopt -o filenames ;; esac
  done
}
complete -F _mdevfs mdevfs
`,
  zsh: (ask) => `# mdevfs completion zsh; in ~/.zshrc: source <(mdevfs completion zsh)
_mdevfs() {
  local line text word about ret=1
  local -a whole whole_shown begun begun_shown
  for line in "\${(@f)$(${ask} "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2> /dev/null)}"; do
    [[ -n $line ]] || continue
    text=\${line%%$'\\t'*} about=\${line#*$'\\t'}
    word=\${\${(q)text}/#\\\\\\~/\\~}
    [[ $about != $line ]] && line="$text  $about"
    case $text in
      (*[=/]) begun+=("$word") begun_shown+=("$line") ;;
      (*) whole+=("$word") whole_shown+=("$line") ;;
    esac
  done
  compadd -Q -l -d whole_shown -a whole && ret=0
  compadd -Q -l -S '' -d begun_shown -a begun && ret=0
  return ret
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _mdevfs mdevfs
`,
  fish: (ask) => `# mdevfs completion fish; mdevfs completion fish > ~/.config/fish/completions/mdevfs.fish
function __mdevfs_complete
  set -l words (commandline -opc) (commandline -ct)
  ${ask} $words[2..-1] 2> /dev/null
end
complete -c mdevfs -f -a '(__mdevfs_complete)'
`,
};
