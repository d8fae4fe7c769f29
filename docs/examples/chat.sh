#!/usr/bin/env bash
# A visitor of Parley in a shell script: gets a token, asks, prints the reply while
# it is written, resumes it when the connection is lost, rates it and leaves.
#
#   KEY=pk_test_… docs/examples/chat.sh 'What does it cost?'
#
# KEY is the public key that `make run` prints. PARLEY is the address of Parley,
# if it is not the one on this machine. Needs bash, curl 7.82 and jq.
set -euo pipefail
parley=${PARLEY:-http://localhost:3000}
question=${1:?what do you want to ask?}

call() { curl --silent --show-error --header "Parley-Key: ${KEY:?the public key of a project}" "$@"; }

# Every group of calls has a base address: on AWS they differ.
config=$(call --fail-with-body "$parley/config")
urls=$(jq .urls <<<"$config")
base() { jq --raw-output ".$1" <<<"$urls"; }

# solved is for projects that want a proof of work of new visitors: it looks for the
# number that, behind the salt, has the hash that is asked for, a thousand at a time.
solved() {
	local asked salt hash most number dir n
	asked=$(call --fail-with-body "$1")
	most=$(jq .maxnumber <<<"$asked")
	salt=$(jq --raw-output .salt <<<"$asked") hash=$(jq --raw-output .challenge <<<"$asked") dir=$(mktemp -d)
	for ((n = 0; ; n++)); do
		printf %s "$salt$n" >"$dir/$n"
		if ((n % 1000 < 999 && n < most)); then continue; fi
		number=$(cd "$dir" && printf '%s\0' * | xargs -0 sha256sum | awk -v hash="$hash" '$1 == hash {print $2}')
		if [ -n "$number" ]; then break; fi
		printf '%s\0' "$dir"/* | xargs -0 rm
	done
	rm -r "$dir"
	jq --compact-output --argjson number "$number" 'del(.maxnumber) + {$number}' <<<"$asked" | base64 | tr -d '\n'
}
challenge=$(jq --raw-output '.challenge // empty' <<<"$config")
who='{}'
if [ -n "$challenge" ]; then who="{\"altcha\": \"$(solved "$challenge")\"}"; fi

token=$(call --fail-with-body --json "$who" "$(base identify)/identify" | jq --raw-output .token)
auth="Authorization: Bearer $token"

# A message keeps its id however often it is sent, and so is stored once.
message=$(jq --null-input --arg id "$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')" --arg text "$question" \
	'{messageId: $id, content: $text}')

# stream opens the reply's stream: by sending the message, or, once that was
# accepted, behind the last event that came.
stream() {
	if [ -z "$session" ]; then
		call --no-buffer --fail --header "$auth" --json "$message" --header 'Accept: text/event-stream' "$(base chat)/chat"
	else
		call --no-buffer --fail --header "$auth" --header "Last-Event-ID: $last" "$(base chat)/chat/$session/runs/$run"
	fi
}

# follow prints a stream's text until it stops.
follow() {
	local line event id
	while IFS= read -r line; do
		case $line in
		'event: '*) event=${line#event: } ;;
		'id: '*) id=${line#id: } ;;
		'data: '*) data=${line#data: } ;;
		'')
			case ${event:-} in
			accepted) session=$(jq --raw-output .session.id <<<"$data") run=$(jq --raw-output .run <<<"$data") ;;
			text) jq --join-output .delta <<<"$data" ;;
			end) status=$(jq --raw-output .status <<<"$data") ;;
			esac
			last=${id:-$last} event='' id=''
			;;
		esac
	done
}

# Only the event `end` ends a reply. A stream that stops before it was cut.
session='' run='' last='' status=''
until [ -n "$status" ]; do
	failed=0
	follow < <(stream)
	wait $! || failed=$?
	if [ "$failed" = 22 ]; then exit 1; fi # refused, as curl has said
	if [ -z "$status" ]; then
		echo 'The connection was lost; going on.' >&2
		sleep 1
	fi
done
printf '\n[%s]\n' "$status"

call --fail-with-body --header "$auth" --json "{\"sessionId\": \"$session\", \"score\": 5}" "$(base csat)/csat" | jq --raw-output '"Rated \(.rating.score) of 5."'
jq --null-input --arg key "$KEY" --arg token "$token" --arg session "$session" '{$key, $token, $session}' |
	call --fail-with-body --data @- "$(base close)/close" >/dev/null
