//go:build !race

package damage

const underRace = false
