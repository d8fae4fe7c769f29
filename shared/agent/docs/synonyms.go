package docs

import (
	"strings"
	"sync"
)

// synonyms are words that visitors and articles use for one another, one group a
// line. A synonym counts for less than the word itself.
var synonyms = sync.OnceValue(func() map[string][]string {
	return groupsOf(`
price pricing cost fee charge bill pay expensive cheap money
delete remove erase erasure purge forget gone
handover handoff takeover escalate escalation transfer
human person people operator staff colleague employee
bot chatbot ai assistant agent model llm
upload attach attachment file image picture photo document
login signin authenticate identify identity identification
key token secret password credential
install setup deploy deployment launch host installation
start begin run boot
website site page
limit maximum max quota cap size large big
slow fast latency performance speed quick quickly
error fail failure problem issue break broken wrong trouble
crash die dies died dead down hang outage
change edit modify customise customize configure setting option adjust
stop cancel abort interrupt
interrupt cut drop lost lose
disable switch turn deactivate
enable activate
rating rate csat score star satisfaction survey
history transcript past previous earlier old
chat conversation session dialog
visitor customer user client contact
store save keep persist retain retention
language translate translation locale multilingual english german french spanish italian portuguese dutch
test try check
local locally laptop computer
console dashboard inbox admin
article documentation doc manual guide
automatic automatically
collect gather
database table dynamodb storage
notify notification alert alarm
webhook hook callback
reload refresh reconnect resume
duplicate twice idempotent
offline disconnect disconnected
widget bubble embed
cloud aws
safe secure security
bug hole vulnerability exploit
malware virus
information data
multiple several
ban block abuse spam
poll follow updates watch
timeout deadline
refuse reject deny
reset wipe clear
know learn
version release
upgrade update migrate
colour color theme dark style appearance look
licence license licensing
phone mobile app ios android
id ids identifier
expire expiry expiration ttl
answer reply respond response talk speak say
spend burn waste consume
one single
retry repeat
provider vendor
send post submit
receive arrive
create add make new
see view read show list
buy order purchase
return refund
ship shipping delivery deliver
email mail address
`)
})

// groupsOf maps the stem of each word to the stems of the others of its line.
func groupsOf(text string) map[string][]string {
	groups := map[string][]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		group := strings.Fields(line)
		for i, word := range group {
			for j, other := range group {
				if i != j && stem(word) != stem(other) {
					groups[stem(word)] = append(groups[stem(word)], stem(other))
				}
			}
		}
	}
	return groups
}
