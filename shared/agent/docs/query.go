package docs

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// query takes a question apart into what is asked for, each word once. Two
// words that articles write as one ("dynamo db") may each stand for that one.
func (x *index) query(text string) []asked {
	terms, names := words(text), names(text)
	seen := map[string]bool{}
	var all []asked
	for i, term := range terms {
		if seen[term] {
			continue
		}
		seen[term] = true
		var joined []string
		if i > 0 {
			joined = append(joined, terms[i-1]+term)
		}
		if i+1 < len(terms) {
			joined = append(joined, term+terms[i+1])
		}
		a := x.ask(term, joined)
		if len(a.variants) == 0 && !a.weak && !names[term] {
			a.idf *= unknownShare
		}
		all = append(all, a)
	}
	return all
}

// names are the terms that are written with a capital letter within a sentence:
// mostly names. One that no article knows says more plainly than other words
// that the question is about something else.
func names(text string) map[string]bool {
	found := map[string]bool{}
	for _, sentence := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(".!?:;\n", r) }) {
		for i, word := range fields(sentence) {
			first, _ := utf8.DecodeRuneInString(word)
			if i > 0 && unicode.IsUpper(first) {
				found[stem(fold(word))] = true
			}
		}
	}
	return found
}

// ask finds what may stand for a word and how much it tells. A word that no
// article knows tells most, for the question is likely about something else;
// a weak one tells nothing then.
func (x *index) ask(term string, joined []string) asked {
	a := asked{variants: x.variants(term, joined), weak: isWeak(term)}
	for word := range a.variants {
		a.idf = max(a.idf, x.idf(word))
	}
	if len(x.postings[term]) > 0 || len(a.variants) == 0 {
		a.idf = x.idf(term)
	}
	first, _ := utf8.DecodeRuneInString(term)
	switch unknown := len(a.variants) == 0; {
	case a.weak && unknown:
		a.idf = 0
	case a.weak, unknown && withoutSpaces(first): // such a pair is mostly no word
		a.idf *= weakness
	}
	return a
}

// variants are the word itself, joined ones and its synonyms, as far as articles
// have them, or if they have none, words that are spelled nearly so.
func (x *index) variants(term string, joined []string) map[string]float64 {
	found := map[string]float64{}
	for _, other := range joined {
		if len(x.postings[other]) > 0 {
			found[other] = 1
		}
	}
	for _, other := range synonyms()[term] {
		if len(x.postings[other]) > 0 {
			found[other] = synonymShare
		}
	}
	if len(x.postings[term]) > 0 {
		found[term] = 1
	}
	if len(found) > 0 {
		return found
	}
	for word := range x.postings {
		if alike(term, word) {
			found[word] = spellingShare
		}
	}
	return found
}

// minAlike is the fewest letters at which one wrong letter is taken for a slip:
// shorter words differ from others by one letter too often.
const minAlike = 5

// alike is whether two ASCII words differ by one letter that was typed wrong,
// left out, added, or swapped with the next one. The first letter must be right.
func alike(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) < minAlike || len(b)-len(a) > 1 || a[0] != b[0] || !isASCII(a) || !isASCII(b) {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	if i >= len(a)-1 {
		return true
	}
	swapped := a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	return swapped || a[i+1:] == b[i+1:]
}
