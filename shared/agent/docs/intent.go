package docs

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// intent is what a message wants.
type intent int

const (
	question intent = iota
	greeting
	thanks
	goodbye
	whoIsThis
	wantsHuman
	agrees  // "yes", which accepts a human if one was offered
	refuses // "no", which ends the conversation if "anything else?" was asked
)

// maxSmallTalk is the longest message, in words, that can be anything but a
// question: a longer one describes a problem, whatever else it says.
const maxSmallTalk = 25

const person = `(?:human|person|people|agent|operator|representative|rep|someone|somebody|staff|employee|colleague|` +
	`team member|(?:customer )?(?:support|service)(?: team)?|adviser|advisor)s?`

const real = `(?:(?:a|an|the|some|your|any|one of your|actual|real|live|human)s? )*`

type phrase struct {
	intent intent
	match  *regexp.Regexp
}

// phrases are tried in order on the message in lower case, without punctuation
// and accents.
var phrases = sync.OnceValue(func() []phrase {
	return []phrase{
		{whoIsThis, regexp.MustCompile(`\b(?:are you|is this|am i (?:talking|speaking|chatting) (?:to|with)) ` + real +
			`(?:bot|robot|chatbot|human|person|ai|machine|computer|program)\b`)},
		{whoIsThis, regexp.MustCompile(`^who (?:are you|is this|am i talking to)$`)},

		{wantsHuman, regexp.MustCompile(`\b(?:talk|speak|chat|talking|speaking|chatting) (?:to|with) ` + real + person + `\b`)},
		{wantsHuman, regexp.MustCompile(`\b(?:connect|transfer|forward|pass|put|hand) me\b.* ` + person + `\b`)},
		{wantsHuman, regexp.MustCompile(`\b(?:i|we) (?:want|need|would like|d like|prefer|demand) ` + real + person +
			`(?: please| now| here| instead| to (?:help|talk|speak|answer).*)?$`)},
		{wantsHuman, regexp.MustCompile(`\b(?:get|give|find|send|bring) me ` + real + person + `\b`)},
		{wantsHuman, regexp.MustCompile(`\bis (?:there )?` + real + person + ` (?:there|here|available|around|online)\b`)},
		{wantsHuman, regexp.MustCompile(`^(?:please )?` + real + `(?:human|person|agent|operator|representative|someone|support)(?: please| now)*$`)},
		{wantsHuman, regexp.MustCompile(`\bescalate (?:this|my)\b`)},
		{wantsHuman, regexp.MustCompile(`\bmit (?:einem |einer |dem |der )?(?:echten |richtigen )?(?:menschen|person|mitarbeiter\w*|kollegen|jemandem|support) (?:sprechen|reden|chatten|schreiben|verbinden)`)},
		{wantsHuman, regexp.MustCompile(`\b(?:hablar|chatear) con (?:un |una )?(?:humano|persona|agente|operador\w*|representante|alguien)`)},
		{wantsHuman, regexp.MustCompile(`\bparler (?:a|avec) (?:un |une )?(?:vrai |vraie )?(?:humain|personne|conseiller|conseillere|agent|operateur|quelqu un)`)},
		{wantsHuman, regexp.MustCompile(`\bfalar com (?:um |uma )?(?:humano|pessoa|atendente|agente|alguem)`)},
		{wantsHuman, regexp.MustCompile(`\bparlare con (?:un |una |un )?(?:umano|persona|operatore|qualcuno)`)},
		{wantsHuman, regexp.MustCompile(`\bmet (?:een )?(?:echt |echte )?(?:mens|medewerker|persoon|iemand) (?:spreken|praten|chatten)`)},

		{goodbye, regexp.MustCompile(`^(?:(?:ok|okay|great|thanks|thank you|no|nope)(?: so much| a lot)? )*(?:bye|goodbye|bye bye|see you|see ya|cya|tschuss|auf wiedersehen|au revoir|adios|arrivederci|tchau|doei)(?: \w+){0,2}$`)},
		{goodbye, regexp.MustCompile(`^(?:no |nope )?(?:thanks |thank you )?(?:that s all|that is all|thats all|that was all|nothing else|nothing more)(?: thanks| thank you| for now| for today| bye)*$`)},
		{goodbye, regexp.MustCompile(`^(?:no|nope)(?: thanks| thank you)$`)},

		{thanks, regexp.MustCompile(`^(?:(?:ok|okay|yes|great|perfect|cool|awesome|nice|super|excellent|wonderful|alright|brilliant) )*` +
			`(?:thanks|thank you|thx|ty|cheers|danke|vielen dank|merci|gracias|muchas gracias|grazie|obrigad[oa]|bedankt|tack)` +
			`(?: so much| very much| a lot| a bunch| again| for (?:your|the) help| schon| beaucoup| mil| that \w+(?: it)?| this \w+| it works?(?: now)?)*$`)},
		{thanks, regexp.MustCompile(`^(?:(?:ok|okay|yes|great|perfect|cool|awesome|nice) )*(?:that|this|it) (?:worked|works|helped|helps|solved it|solved my problem|fixed it|did it|answers my question|answered my question)(?: now)?(?: thanks| thank you)*$`)},
		{thanks, regexp.MustCompile(`^(?:perfect|great|awesome|excellent|brilliant|solved|wonderful|got it|(?:ok )?i see)$`)},

		{greeting, regexp.MustCompile(`^(?:hi|hello|hey|hiya|howdy|yo|greetings|good (?:morning|afternoon|evening|day)|hallo|moin|servus|guten (?:tag|morgen|abend)|bonjour|bonsoir|salut|hola|buenos dias|buenas tardes|ciao|buongiorno|ola|hej|hoi)` +
			`(?: (?:there|again|all|everyone|team|you|parley|bot))*(?: (?:how are you|how is it going|how s it going|what s up|whats up)(?: doing)?(?: today)?)?$`)},
		{greeting, regexp.MustCompile(`^(?:how are you|how s it going|what s up|whats up)(?: doing)?(?: today)?$`)},

		{refuses, regexp.MustCompile(`^(?:no|nope|nein|non|nao|nee)$`)},
		{greeting, regexp.MustCompile(`^(?:please |can you |could you |i need |i need some |some )*help(?: me)?(?: please)?$`)},

		{agrees, regexp.MustCompile(`^(?:yes|yeah|yep|yup|sure|ok|okay|please|ja|oui|si|sim)(?: (?:yes|please|do|do so|do it|do that|go ahead|thanks|thank you|bitte))*$`)},
	}
})

// aboutOthers matches messages that ask what the visitors of the reader's own
// site can do ("can visitors talk to a person?"), not for a person.
var aboutOthers = lazy(`\b(?:visitors?|customers|users?|clients?|callers?|contacts?|(?:a|my|our|the|each|every) customer)\b`)

// intentOf says what a message wants.
func intentOf(text string) intent {
	text = bare(text)
	if strings.Count(text, " ") >= maxSmallTalk {
		return question
	}
	for _, phrase := range phrases() {
		if phrase.match.MatchString(text) && !(phrase.intent == wantsHuman && aboutOthers().MatchString(text)) {
			return phrase.intent
		}
	}
	return question
}

// bare returns text in lower case, with a single space in place of anything but
// letters and digits.
func bare(text string) string {
	return strings.Join(strings.FieldsFunc(fold(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), " ")
}
