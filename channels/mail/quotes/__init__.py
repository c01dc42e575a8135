"""What in a reply is not new: announcements of quotes, header blocks, signatures, in text and in HTML."""
