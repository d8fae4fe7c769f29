package docs

import "strings"

// stem cuts off the endings of English inflection, and of nouns in -ment and
// -ion, so that "erases", "erased" and "erasing" become the same, and so do
// "configure" and "configuration". It cuts less than Porter's algorithm does, in
// order not to merge words of different meaning, such as user and use. Words of
// other languages sometimes lose an ending, in questions and articles alike.
func stem(word string) string {
	if len(word) <= 3 || !isASCII(word) {
		return word
	}
	word = singular(word)
	if root, ok := cutSuffix(word, "ment", 4); ok {
		word = root
	}
	if root, ok := cutSuffix(word, "ly", 4); ok {
		word = root
	}
	word = verb(word)
	if root, ok := cutSuffix(word, "e", 3); ok {
		return root
	}
	return word
}

func singular(word string) string {
	switch {
	case strings.HasSuffix(word, "ies") && len(word) > 4:
		return word[:len(word)-3] + "y"
	case hasAnySuffix(word, "sses", "shes", "ches", "xes", "zzes"):
		return word[:len(word)-2]
	case strings.HasSuffix(word, "s") && !hasAnySuffix(word, "ss", "us", "is"):
		return word[:len(word)-1]
	}
	return word
}

// verb cuts off -ing, -ed and -ion, and the -at(e) of nouns in -ation:
// configuration, configure; installation, install.
func verb(word string) string {
	for _, suffix := range []string{"ational", "ation", "ating", "ated", "ate"} {
		if root, ok := cutSuffix(word, suffix, 4); ok {
			return root
		}
	}
	if root, ok := cutSuffix(word, "ied", 2); ok {
		return root + "y"
	}
	for _, suffix := range []string{"ing", "ed"} {
		root, ok := cutSuffix(word, suffix, 3)
		if ok && strings.ContainsAny(root, "aeiouy") && !strings.HasSuffix(word, "eed") {
			return undouble(root)
		}
	}
	if root, ok := cutSuffix(word, "ion", 4); ok && hasAnySuffix(root, "t", "s") {
		return root
	}
	return word
}

// undouble makes "stopp" stop, but leaves "call" and "miss".
func undouble(root string) string {
	n := len(root)
	if n > 3 && root[n-1] == root[n-2] && !strings.ContainsRune("lsz", rune(root[n-1])) {
		return root[:n-1]
	}
	return root
}

// cutSuffix cuts a suffix if at least so many letters are left.
func cutSuffix(word, suffix string, left int) (string, bool) {
	root, ok := strings.CutSuffix(word, suffix)
	if !ok || len(root) < left {
		return word, false
	}
	return root, true
}

func hasAnySuffix(word string, suffixes ...string) bool {
	for _, suffix := range suffixes {
		if strings.HasSuffix(word, suffix) {
			return true
		}
	}
	return false
}

func isASCII(word string) bool {
	for i := range len(word) {
		if word[i] >= 0x80 {
			return false
		}
	}
	return true
}
