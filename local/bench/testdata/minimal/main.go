// Command minimal is the least that Lambda runs: what a function that does
// something is compared with.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func() {}) }
