/** A script for each shell: it asks this command line what may come next, so it fits every version of it. */
export const SCRIPTS = {
  bash: `# millrace for bash. Now: source <(millrace completion bash)
# For good: millrace completion bash > ~/.local/share/bash-completion/completions/millrace
_millrace() {
  local line="\${COMP_LINE:0:COMP_POINT}" word
  local -a words
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  COMPREPLY=()
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(millrace complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -o default -F _millrace millrace
`,
  zsh: `#compdef millrace
# millrace for zsh. Now: source <(millrace completion zsh)
# For good: millrace completion zsh > a folder of $fpath, as _millrace
_millrace() {
  local -a found
  found=("\${(@f)$(millrace complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found[1]" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
if [[ "\${funcstack[1]}" == _millrace ]]; then _millrace; else compdef _millrace millrace; fi
`,
  fish: `# millrace for fish. Now: millrace completion fish | source
# For good: millrace completion fish > ~/.config/fish/completions/millrace.fish
function __millrace_complete
    set -l words (commandline -opc) (commandline -ct)
    millrace complete -- $words[2..-1] 2>/dev/null
end
complete -c millrace -a '(__millrace_complete)'
`,
} as const;
