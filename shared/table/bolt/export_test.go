package bolt

// What fuzz targets reach.
var (
	AppendItem  = appendItem
	DecodeItem  = decodeItem
	EntryKey    = entryKey
	DecodeEntry = decodeEntry
	ItemKey     = itemKey
	AppendTime  = appendTime
)
