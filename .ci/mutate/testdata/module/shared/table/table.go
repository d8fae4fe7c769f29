// Package table has the types of which a list may lack an element.
package table

type (
	Condition string
	Action    []Condition
)

func Put(conditions ...Condition) Action { return conditions }
