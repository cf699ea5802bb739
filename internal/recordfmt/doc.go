// Package recordfmt turns records into text and text into records, by formats
// that users of rpk, franz-go and kcat know.
//
// # A format
//
// A format is text in which a percent sign and a letter stand for a part of
// the record. Everything else stands for itself:
//
//	%v        value                 %V   length of the value in bytes
//	%k        key                   %K   length of the key in bytes
//	%h{…}     headers, see below    %H   number of headers
//	%o        offset                %d   append time, unix milliseconds
//
//	%% %{ %}  the signs % { }       \n \t \r \\ \0 \xNN   bytes
//
// kcat's %s, %S and %R (four bytes, big-endian) mean %v, %V and %V{big32}, and
// its bare %h prints the headers as name=value, separated by commas. A format
// that is the one word "json" is described at the end.
//
// Braces directly after the letter say how the part is spelled:
//
//	%v %k           {hex} {base64} {base64raw} {json}
//	%V %K %H %o %d  {ascii} {number} {bool} {byte} {hex}
//	                {hex64} {hex32} {hex16} {hex8} {hex4}
//	                {big64} {big32} {big16} {big8}
//	                {little64} {little32} {little16} {little8}
//	%d              {go[2006-01-02]} {strftime[%F %T]}, always UTC
//
// The number after hex, big and little counts bits, so that hex32 is eight
// digits and big32 four bytes. Numbers that do not fit are truncated to their
// low bits. The layout of go and strftime stands between any number of equal
// signs out of [ { ( < #, as in %d{strftime##%H:%M##}.
//
// # Output
//
// Compile makes a Formatter, and its AppendTo writes one record. Lengths count
// the bytes of the record, not of their spelling: %V %v{hex} of "ab" is
// "2 6162". An absent key prints as nothing, with length 0; only {json} tells
// it (null) from an empty one ("").
//
// {json} prints a JSON string, so that {"v":%v{json}} is JSON for any text.
// Bytes that are not UTF-8 have no such string and print as {"base64":"…"}.
//
// The format inside %h{…} is applied to each header in order, and knows %k %v
// %K %V and text: %h{%k=%v,}. Braces of its own are fine where they pair.
//
// # Input
//
// NewReader makes a Reader, which applies the format again and again until
// the input ends. A part ends in one of three ways:
//
//	by a size before it          %V{big32}%v     %K %k%V %v
//	by a size in the format      %V{4}%v         always four bytes
//	by the text that follows it  %k\t%v\n        up to the first tab, newline
//
// A %v or %k at the very end with no text after it takes the rest of the
// input. Two parts that touch, with no size for the first, are an error of the
// format. Sizes count the bytes of the spelling, which is what is read:
// %V %v{hex} reads "4 6162" as "ab". Numbers are read in the layouts above but
// {hex}, which has no width. An {ascii} number takes every digit there is:
// between %V and a value that may begin with a digit there has to be text.
// Text in the format has to be in the input, byte by byte.
//
// Header formats need the count first: %H %h{%k=%v,}, or %H{2} for two each.
// %o and %d are read, as numbers, and an append ignores them. {json} reads one
// JSON value, over several lines if it is so laid out; a string gives its
// text, anything else its compact spelling, and for a key null means absent.
//
// Rules that hold for every format: the last record may lack the text that
// ends it; an empty part is a part, so that an empty line is a record with an
// empty value; zero bytes and carriage returns are data; a format with %k
// gives every record a key, be it empty, and one without gives none. The
// text that ends a part is looked for in all of the input: with %k\t%v\n a line
// without a tab becomes part of the next line's key. Where keys or values may
// hold the separator, use lengths or json.
//
// # The format json
//
// One JSON object a line, in both directions:
//
//	{"offset":7,"time":1767225600000,"key":"k","value":"v","headers":[{"key":"a","value":"b"}]}
//
// Bytes that are not UTF-8 go as base64 under "key_base64" or "value_base64" in
// place of "key" or "value", in headers too. An absent key is null, and headers
// is always an array. On input offset, time and names that are not listed here
// are ignored, key and headers may be missing, and blank lines are skipped.
package recordfmt
