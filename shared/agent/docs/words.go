package docs

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// words returns the search terms of a text: in lower case, without accents and
// stop words, each cut to its stem. An identifier such as sendBeacon yields its
// parts and the whole. Chinese, Japanese and Korean, which are written without
// spaces, yield pairs of characters.
func words(text string) []string {
	var terms []string
	all := fields(text)
	for i, raw := range all {
		if i+1 < len(all) {
			if meant := phraseTerms[fold(raw)+" "+fold(all[i+1])]; meant != "" {
				terms = append(terms, stem(meant))
			}
		}
		for _, part := range parts(raw) {
			word := fold(part)
			if len(word) > 1 && !stopWords()[word] || isDigit(word) {
				terms = append(terms, stem(word))
			}
		}
	}
	return terms
}

// fields splits text at everything that is neither a letter nor a digit, and
// drops what follows an apostrophe ("what's", "don't").
func fields(text string) []string {
	text = strings.ReplaceAll(text, "’", "'")
	var all []string
	for _, field := range strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) && r != '\''
	}) {
		word, _, _ := strings.Cut(strings.TrimLeft(field, "'"), "'")
		if word != "" {
			all = append(all, word)
		}
	}
	return all
}

// parts returns the words in a field.
func parts(field string) []string {
	first, _ := utf8.DecodeRuneInString(field)
	if withoutSpaces(first) {
		return pairs([]rune(field))
	}
	var humps []string
	start, previous := 0, rune(0)
	for i, r := range field {
		if unicode.IsUpper(r) && unicode.IsLower(previous) {
			humps = append(humps, field[start:i])
			start = i
		}
		previous = r
	}
	if start == 0 {
		return []string{field}
	}
	return append(humps, field[start:], field)
}

func pairs(runes []rune) []string {
	if len(runes) == 1 {
		return []string{string(runes)}
	}
	var all []string
	for i := range len(runes) - 1 {
		all = append(all, string(runes[i:i+2]))
	}
	return all
}

func withoutSpaces(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai)
}

func isDigit(word string) bool { return len(word) == 1 && word[0] >= '0' && word[0] <= '9' }

// accents maps the accented letters of Western and Central European languages to
// what people type instead.
var accents = strings.NewReplacer(
	"à", "a", "á", "a", "â", "a", "ã", "a", "ä", "a", "å", "a", "ą", "a", "æ", "ae",
	"ç", "c", "ć", "c", "č", "c", "ď", "d", "è", "e", "é", "e", "ê", "e", "ë", "e", "ę", "e", "ě", "e",
	"ğ", "g", "ì", "i", "í", "i", "î", "i", "ï", "i", "ł", "l", "ñ", "n", "ń", "n", "ň", "n",
	"ò", "o", "ó", "o", "ô", "o", "õ", "o", "ö", "o", "ő", "o", "ø", "o", "œ", "oe", "ř", "r",
	"ś", "s", "š", "s", "ş", "s", "ß", "ss", "ť", "t", "ù", "u", "ú", "u", "û", "u", "ü", "u", "ů", "u", "ű", "u",
	"ý", "y", "ÿ", "y", "ź", "z", "ż", "z", "ž", "z",
)

func fold(word string) string {
	word = strings.ToLower(word)
	if isASCII(word) {
		return word
	}
	return accents.Replace(word)
}

// stopWords say nothing about the subject of a question: grammar, and the words
// that questions are wrapped in.
var stopWords = sync.OnceValue(func() map[string]bool {
	return setOf(`
a an the and or but nor of to in on at by for with from into onto as is are was were be been being am
do does did done doing have has had having i me my mine myself we us our ours you your yours he him his she her hers it its
they them their theirs this that these those there here what which who whom whose when where why how
can could should would will shall may might must cannot
not no yes if then than so such just only also too very about out up any some all each every both either neither
many much more most per via without within other another same own again still even ever never always already yet now
while during before after since until because once instead nobody everybody none nothing really
please tell know explain describe understand want wants wanted need needs needed like help
get gets getting got use uses used using way ways possible thing things something anything someone anyone somebody anybody
able let lets really actually exactly basically kind sort lot
work works working happen happens happening mean means go goes going
hi hello hey thanks thank ok okay sorry question wonder wondering
s t re ve ll d m don doesn didn isn aren wasn won couldn shouldn wouldn dont doesnt cant im ive whats hows`)
})

// phraseTerms are pairs of words that mean something neither of them means
// alone.
var phraseTerms = map[string]string{
	"try again": "retry", "tried again": "retry",
	"log in": "login", "logged in": "login", "sign in": "login", "signed in": "login", "signs in": "login", "logs in": "login",
	"switch off": "disable", "turn off": "disable", "turned off": "disable", "switch on": "enable", "turn on": "enable",
	"take over": "takeover", "takes over": "takeover", "jump in": "takeover", "step in": "takeover",
	"hand over": "handover", "hands over": "handover", "handed over": "handover",
	"get started": "quickstart", "getting started": "quickstart",
	"set up": "setup", "sign up": "register",
}

// weakWords say little about the subject of a question. They are so common in
// all texts that their rarity in the articles is chance.
var weakWords = sync.OnceValue(func() map[string]bool {
	return stemsOf(`
accept allow allowed available valid support supported possible require required necessary
take long often big small large good best better bad right different difference part first last next time times day today
find look looking try say see give given keep put turn come back around
everyone company business team page thing list number name kind type place world
many several few lot more less least fast easy simple hard
provide offer include contain handle cover recommend explain
start begin end whole full own automatically directly properly actually currently normally usually
today tomorrow week month year hour minute old young
write read call ask build made halfway middle plain`)
})

// weakness is the share of its weight that a weak word keeps.
const weakness = 0.4

// isWeak reports whether a term is a weak word or a number of one or two digits.
func isWeak(term string) bool {
	return weakWords()[term] || len(term) <= 2 && strings.Trim(term, "0123456789") == ""
}

func stemsOf(text string) map[string]bool {
	set := map[string]bool{}
	for word := range setOf(text) {
		set[stem(word)] = true
	}
	return set
}

func setOf(text string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(text) {
		set[word] = true
	}
	return set
}
