# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for certdeploy: the tool itself says what may follow.
_certdeploy()
{
	local current="${COMP_WORDS[COMP_CWORD]}" line
	local words=("${COMP_WORDS[@]:1:COMP_CWORD}")

	COMPREPLY=()
	while IFS= read -r line; do
		COMPREPLY+=("$line")
	done < <("${COMP_WORDS[0]}" complete -- "${words[@]}" 2>/dev/null)
	# A colon parts words for readline: only what follows it may be offered.
	if [[ $current == *:* && ${COMP_WORDBREAKS-} == *:* ]]; then
		COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
	fi
}
complete -o default -F _certdeploy certdeploy
