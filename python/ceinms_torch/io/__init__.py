"""Files: storage tables, XML documents and the paths inside them."""
