// Command broken is a function for the tests of lambdatest that ends before it
// asks for an event.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Println("PARLEY_TABLE is not set")
	os.Exit(7)
}
