//go:build !race

package powercut

// fewImages is what the short form makes.
const fewImages = 300
