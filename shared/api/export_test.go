package api

// Allows and Codes are the origin rule and the codes, for their tests.
var (
	Allows = allows
	Codes  = codes
)

// Status returns the status of a code.
func (m meaning) Status() int { return m.status }
