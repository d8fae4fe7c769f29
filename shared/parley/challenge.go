package parley

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"time"
)

// This file makes it cost something to become a visitor: a page has to find a number
// by trying before it is let in. Nothing is stored for it. Who asked, and until when
// the answer counts, is in what was signed; and a solution is used up by the visitor
// that it makes, whose id follows from it.

// ChallengeSettings say whether strangers have to solve a challenge.
type ChallengeSettings struct {
	// Numbers is how many numbers there are to try, of which half have to be on the
	// average: MinChallengeNumbers to MaxChallengeNumbers, or 0 for no challenge.
	Numbers int64 `json:"numbers,omitempty"`
	// Except are the channels of widgets that cannot solve one and let strangers in
	// all the same. The others are closed to strangers.
	Except []Channel `json:"except,omitempty"`
}

const (
	// MinChallengeNumbers is the easiest challenge, MaxChallengeNumbers the hardest. Our
	// choices: below it nobody notices; above it an old telephone takes half a minute.
	MinChallengeNumbers = 1000
	MaxChallengeNumbers = 1_000_000
	// ChallengeLife is for how long a challenge can be solved. Our choice: several times
	// what the hardest takes.
	ChallengeLife = 5 * time.Minute
)

func (c ChallengeSettings) check() error {
	if c.Numbers != 0 && (c.Numbers < MinChallengeNumbers || c.Numbers > MaxChallengeNumbers) {
		return invalid("challenge", "numbers is 0, or %d to %d", MinChallengeNumbers, MaxChallengeNumbers)
	}
	widgets := []Channel{ChannelHissuno, ChannelOpenCX, ChannelCossistant, ChannelChatHub}
	for i, channel := range c.Except {
		if !slices.Contains(widgets, channel) || slices.Contains(c.Except[:i], channel) {
			return invalid("challenge", "except lists some of %v, each once", widgets)
		}
	}
	return nil
}

// asks reports whether strangers who come by a channel have to solve a challenge.
func (c ChallengeSettings) asks(channel Channel) bool {
	return c.Numbers > 0 && !slices.Contains(c.Except, channel)
}

// Challenge asks for the number which, behind Salt, has the SHA-256 Hash: in the form
// of ALTCHA, so that its solvers can be used.
type Challenge struct {
	Salt string
	Hash string // in hex
	// Max is the highest number that it may be.
	Max int64
	// Signature is of Hash, in hex: only who made the challenge can have made it.
	Signature string
}

// Solution is a challenge with the number that was found.
type Solution struct {
	Salt, Hash, Signature string
	Number                int64
}

// saltForm is a random text and when the challenge expires, in seconds of Unix time.
// With the "&" at its end no digit of the number can pass for one of the time.
var saltForm = pattern(`^[0-9a-f]{24}\?expires=([0-9]{1,12})&$`)

// NewChallenge makes a challenge for the caller's address. ErrNotFound where the
// project asks for none.
func (s *Store) NewChallenge(p *Project, c Caller) (Challenge, error) {
	if p.Challenge.Numbers == 0 {
		return Challenge{}, notFound("challenge")
	}
	nonce := make([]byte, 12)
	rand.Read(nonce)
	number, _ := rand.Int(rand.Reader, big.NewInt(p.Challenge.Numbers)) // rand.Reader never fails
	salt := fmt.Sprintf("%x?expires=%d&", nonce, s.clock().Add(ChallengeLife).Unix())
	hash := challengeHash(salt, number.Int64())
	return Challenge{Salt: salt, Hash: hash, Max: p.Challenge.Numbers - 1, Signature: sign(challengeKey(s.derive, p, c), hash)}, nil
}

func challengeHash(salt string, number int64) string {
	sum := sha256.Sum256([]byte(salt + strconv.FormatInt(number, 10)))
	return hex.EncodeToString(sum[:])
}

// challengeKey signs for one project and one address: what somebody else has solved
// is of no use to others.
func challengeKey(derive func(string, ...string) []byte, p *Project, c Caller) []byte {
	return derive("challenge", string(p.ID), c.Address)
}

func sign(key []byte, text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// letIn returns the id that a stranger's visitor gets: any, "", where the project asks
// for no challenge on the channel, else the one that belongs to the solution. Errors,
// of kind ErrDenied: challenge_required without a solution, challenge_expired,
// challenge_invalid, also for one of another project's or address's.
func (s *Store) letIn(p *Project, channel Channel, c Caller, solution *Solution) (VisitorID, error) {
	if !p.Challenge.asks(channel) {
		return "", nil
	}
	if solution == nil {
		return "", denied("challenge_required", "this project wants every new visitor to solve a challenge first")
	}
	for _, derive := range []func(string, ...string) []byte{s.derive, s.previous} {
		key := challengeKey(derive, p, c)
		if key == nil || !hmac.Equal([]byte(sign(key, solution.Hash)), []byte(solution.Signature)) {
			continue
		}
		form := saltForm().FindStringSubmatch(solution.Salt)
		if form == nil || challengeHash(solution.Salt, solution.Number) != solution.Hash {
			break
		}
		if expires, _ := strconv.ParseInt(form[1], 10, 64); s.clock().Unix() >= expires { // digits, by the form
			return "", denied("challenge_expired", "the challenge has expired; get another one")
		}
		return VisitorID("v" + base62(derive("visitor of a challenge", string(p.ID), solution.Hash), 22)), nil
	}
	return "", denied("challenge_invalid", "the challenge is not one for this project and this address, or not solved")
}

// errChallengeUsed says that a solution has made its visitor already.
func errChallengeUsed() error {
	return denied("challenge_used", "this challenge has let somebody in already; get another one")
}
